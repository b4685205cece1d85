/** @module Leases: keys that hang on one go when it ends. */
import * as z from "zod";
import { type CallOptions, CallScope, sleep } from "../calls/call-scope.ts";
import {
  leaseGrantMethod,
  leaseKeepAliveMethod,
  leaseLeasesMethod,
  leaseRevokeMethod,
  leaseTimeToLiveMethod,
} from "../calls/methods.ts";
import { type CallPorts, runUnary } from "../calls/unary-run.ts";
import { ConclaveError } from "../conclave-error.ts";
import { headerOf, type ResponseHeader } from "../kv/key-value.ts";
import type { Keyspace } from "../kv/keyspace.ts";
import { callFields, id64, validate } from "../validate.ts";
import type { Renewal } from "./keep-alive-loop.ts";

/** What a grant can be told. */
export interface LeaseGrantOptions extends CallOptions {
  /** The time to live, in seconds: a whole number. The member may grant more. */
  readonly ttlSec: number;
  /**
   * The lease's id, above 0n; default: the member chooses. A grant with an id may be asked for again after a
   * failure: then `LEASE_EXISTS` means that an earlier try had succeeded.
   */
  readonly id?: bigint | undefined;
}

/** What a grant answers. */
export interface LeaseGrant {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** The lease. */
  readonly id: bigint;
  /** The granted time to live, in seconds. */
  readonly ttlSec: number;
}

/** What is left of a lease. */
export interface LeaseTimeToLive {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** The lease. */
  readonly id: bigint;
  /** Seconds left, rounded down; -1 if there is no such lease. */
  readonly ttlSec: number;
  /** The time to live that was granted, in seconds. */
  readonly grantedTtlSec: number;
  /** The keys that hang on it, if asked for; of a namespace only its own, without the prefix. */
  readonly keys: readonly Uint8Array[];
}

/** What `timeToLive` can be told. */
export interface LeaseTimeToLiveOptions extends CallOptions {
  /** Whether to list the keys; default: false. */
  readonly keys?: boolean | undefined;
}

/** Leases. */
export interface Leases {
  /** Makes a lease. It ends after its time to live unless it is kept alive. */
  grant(options: LeaseGrantOptions): Promise<LeaseGrant>;
  /** Ends a lease and deletes its keys. @throws ConclaveError `LEASE_NOT_FOUND` if there is none */
  revoke(id: bigint, options?: CallOptions): Promise<ResponseHeader>;
  /** Renews a lease once. @throws ConclaveError `LEASE_NOT_FOUND` if there is none */
  keepAliveOnce(id: bigint, options?: CallOptions): Promise<LeaseGrant>;
  /**
   * Renews a lease every third of its TTL for as long as the result is iterated, and yields each renewal.
   *
   * @throws ConclaveError `LEASE_NOT_FOUND` when the lease is gone
   */
  keepAlive(id: bigint, options?: Pick<CallOptions, "signal">): AsyncIterable<Renewal>;
  /** What is left of a lease. */
  timeToLive(id: bigint, options?: LeaseTimeToLiveOptions): Promise<LeaseTimeToLive>;
  /** The ids of all leases. */
  list(options?: CallOptions): Promise<readonly bigint[]>;
}

const callSchema = z.strictObject(callFields);
const grantSchema = z.strictObject({
  ...callFields,
  ttlSec: z.number().int(),
  id: id64.optional(),
});
const timeToLiveSchema = z.strictObject({ ...callFields, keys: z.boolean().optional() });

/** The error of a lease that is not there. */
export function leaseNotFound(lease: bigint): ConclaveError {
  return new ConclaveError("LEASE_NOT_FOUND", `etcdserver: requested lease not found`, { details: { lease } });
}

/** The leases of a cluster. */
export function createLeases(ports: CallPorts, space: Keyspace): Leases {
  const keepAliveOnce: Leases["keepAliveOnce"] = async (id, options = {}) => {
    validate(id64, id, "lease");
    validate(callSchema, options, "options of a keep-alive");
    const response = await runUnary(ports, leaseKeepAliveMethod, { ID: id }, { ...options, effect: "idempotent" });
    if (response.TTL <= 0) throw leaseNotFound(id);
    return { header: headerOf(response), id: response.ID, ttlSec: response.TTL };
  };
  return {
    keepAliveOnce,
    keepAlive: (id, options = {}) => renewals(ports, validate(id64, id, "lease"), options.signal, keepAliveOnce),
    async grant(options) {
      validate(grantSchema, options, "options of a grant");
      const request = { TTL: BigInt(options.ttlSec), ID: options.id ?? 0n };
      const effect = request.ID === 0n ? "mutation" : "idempotent";
      const response = await runUnary(ports, leaseGrantMethod, request, { ...options, effect });
      return { header: headerOf(response), id: response.ID, ttlSec: response.TTL };
    },
    async revoke(id, options = {}) {
      validate(id64, id, "lease");
      validate(callSchema, options, "options of a revocation");
      return headerOf(await runUnary(ports, leaseRevokeMethod, { ID: id }, { ...options, effect: "idempotent" }));
    },
    async timeToLive(id, options = {}) {
      validate(id64, id, "lease");
      validate(timeToLiveSchema, options, "options of a time to live");
      const request = { ID: id, keys: options.keys ?? false };
      const response = await runUnary(ports, leaseTimeToLiveMethod, request, { ...options, effect: "read" });
      return {
        header: headerOf(response),
        id: response.ID,
        ttlSec: response.TTL,
        grantedTtlSec: response.grantedTTL,
        keys: response.keys.filter((key) => space.holds(key)).map((key) => space.strip(key)),
      };
    },
    async list(options = {}) {
      validate(callSchema, options, "options of a list of leases");
      const response = await runUnary(ports, leaseLeasesMethod, {}, { ...options, effect: "read" });
      return response.leases.map(({ ID }) => ID);
    },
  };
}

async function* renewals(
  ports: CallPorts,
  id: bigint,
  signal: AbortSignal | undefined,
  keepAliveOnce: Leases["keepAliveOnce"],
): AsyncGenerator<Renewal> {
  using scope = new CallScope(ports, { signal, timeoutMs: Number.POSITIVE_INFINITY });
  for (;;) {
    const sentAtMs = ports.clock.monotonicMs();
    const { ttlSec } = await keepAliveOnce(id, { signal });
    yield { ttlSec, sentAtMs };
    if (!(await sleep(ports.scheduler, (ttlSec * 1_000) / 3, scope.signal))) throw scope.error("keep-alive");
  }
}
