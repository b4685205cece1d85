/** @module What the transports that speak gRPC over sockets can be told. */
import { timerMsMax } from "@conclave/base";
import * as z from "zod";
import { validate } from "../validate.ts";
import { type TlsOptions, tlsSchema } from "./tls-options.ts";

/** How to speak gRPC. */
export interface GrpcTransportOptions {
  /** How `https` connections are encrypted. Default: as Node does. */
  readonly tls?: TlsOptions | undefined;
  /**
   * How long a call or stream waits for a connection, in milliseconds; then it fails as provably unsent, so that
   * another member can be asked. From 1 to 2 147 483 647, as for the other times. Default: 3 000.
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Time between pings on a connection with calls, in milliseconds; less than 10 000 counts as that, as servers end
   * connections that ping more often. Default: 10 000.
   */
  readonly keepaliveTimeMs?: number | undefined;
  /** How long the answer to a ping may take, in milliseconds, before the connection is given up. Default: 5 000. */
  readonly keepaliveTimeoutMs?: number | undefined;
}

/** {@link GrpcTransportOptions} with the defaults filled in. */
export type TransportSettings = {
  readonly [Name in keyof GrpcTransportOptions]-?: NonNullable<GrpcTransportOptions[Name]>;
};

/** Longer times overflow the timers, which then fire at once. */
const timerMs = z.number().min(1).max(timerMsMax).optional();
const schema = z.strictObject({
  tls: tlsSchema,
  connectTimeoutMs: timerMs,
  keepaliveTimeMs: timerMs,
  keepaliveTimeoutMs: timerMs,
});
const connectTimeoutMsDefault = 3_000;
const keepaliveTimeMsLeast = 10_000;
const keepaliveTimeoutMsDefault = 5_000;

/**
 * Checks options and fills in the defaults.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if an option is wrong
 */
export function transportSettings(options: GrpcTransportOptions): TransportSettings {
  validate(schema, options, "options of a transport");
  return {
    tls: options.tls ?? {},
    connectTimeoutMs: options.connectTimeoutMs ?? connectTimeoutMsDefault,
    keepaliveTimeMs: Math.max(options.keepaliveTimeMs ?? keepaliveTimeMsLeast, keepaliveTimeMsLeast),
    keepaliveTimeoutMs: options.keepaliveTimeoutMs ?? keepaliveTimeoutMsDefault,
  };
}
