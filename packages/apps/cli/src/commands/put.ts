import { emptyBytes, utf8 } from "@conclave/base";
import type { Client } from "@conclave/client";
import type { PutRequest, PutResponse } from "@conclave/protocol/etcdserverpb";
import { Option } from "commander";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, int64Flag, textFlag } from "../flags.ts";
import { parseLeaseFlag } from "./lease-id.ts";
import { putGuarded } from "./put-guarded.ts";
import { readAll } from "./read-all.ts";

/** The options of `put` that one request can carry, and so also a `put` in a transaction. */
export interface PutRequestOptions {
  /** Keep the lease that the key has. */
  readonly ignoreLease: boolean;
  /** Keep the value that the key has. */
  readonly ignoreValue: boolean;
  /** Lease to attach the key to, in hexadecimal. */
  readonly lease: string;
  /** Show the key as it was. */
  readonly prevKv: boolean;
}

/** The options of `put`. */
export interface PutOptions extends PutRequestOptions {
  /** Seconds after which the key vanishes; 0 for never. */
  readonly ttl: bigint;
  /** The value that the key must have; undefined for any. */
  readonly swapWithValue?: string;
  /** The revision that the key must have been changed last at; 0 for any. */
  readonly swapWithIndex: bigint;
}

/** The flags of {@link PutRequestOptions}. */
export const putRequestFlags: readonly Option[] = [
  booleanFlag("--ignore-lease", "keep the lease that the key has"),
  booleanFlag("--ignore-value", "keep the value that the key has"),
  textFlag("--lease <id>", "lease to attach the key to, in hexadecimal", "0"),
  booleanFlag("--prev-kv", "show the key and value as they were"),
];

/** `put`: writes a key. */
export const putCommand: CommandSpec<PutOptions> = {
  names: ["put"],
  usage: "<key> [value]",
  description: "write a key; without a value, the value is read from standard input",
  flags: [
    ...putRequestFlags,
    int64Flag("ttl", "seconds after which the key vanishes, on a lease of its own"),
    new Option("--swap-with-value <value>", "write only if the key has this value"),
    int64Flag("swap-with-index", "write only if this is the revision of the key's last change"),
  ],
  async run({ client, io, print }, { operands, options }) {
    const [key, value] = operands;
    const fromInput = key !== undefined && value === undefined && !options.ignoreValue;
    const input = fromInput ? await readAll(io.stdin) : undefined;
    const request = putRequest(operands, options, input);
    print("put", await putWithin(client, request, options));
  },
};

/** Puts with a lease of its own, if the key is to vanish; a lease for which nothing was put is given back. */
async function putWithin(client: Client, request: PutRequest, options: PutOptions): Promise<PutResponse> {
  if (options.ttl === 0n) return putGuarded(client, request, options);
  if (options.ttl < 0n) throw new CommandError(exitCodes.badArguments, "--ttl must be a number of seconds");
  if (request.lease !== 0n || request.ignoreLease)
    throw new CommandError(exitCodes.badArguments, "--ttl gives the key a lease: leave --lease and --ignore-lease out");
  const { ID } = await client.raw.lease.leaseGrant({ TTL: options.ttl });
  try {
    return await putGuarded(client, { ...request, lease: ID }, options);
  } catch (error) {
    // It would end by itself; the error counts.
    await client.raw.lease.leaseRevoke({ ID }).catch(() => {});
    throw error;
  }
}

/**
 * The request that operands and options of `put` stand for.
 *
 * @param input - the value, if it is not among the operands
 * @throws CommandError if they stand for none
 */
export function putRequest(
  [key, value]: readonly string[],
  options: PutRequestOptions,
  input: Uint8Array = emptyBytes,
): PutRequest {
  const { ignoreValue, ignoreLease, prevKv } = options;
  if (ignoreValue && value !== undefined)
    throw new CommandError(exitCodes.badArguments, "put command needs only 1 argument when 'ignore-value' is set");
  if (key === undefined || (value === undefined && !ignoreValue && input.length === 0))
    throw new CommandError(exitCodes.badArguments, "put command needs 1 argument and input from stdin or 2 arguments");
  return {
    key: utf8(key),
    value: value === undefined ? input : utf8(value),
    lease: parseLeaseFlag(options.lease),
    prevKv,
    ignoreValue,
    ignoreLease,
  };
}
