import { emptyBytes, utf8 } from "@conclave/base";
import type { PutRequest } from "@conclave/protocol/etcdserverpb";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag } from "../flags.ts";
import { parseLeaseFlag } from "./lease-id.ts";
import { readAll } from "./read-all.ts";

/** The options of `put`. */
export interface PutOptions {
  /** Keep the lease that the key has. */
  readonly ignoreLease: boolean;
  /** Keep the value that the key has. */
  readonly ignoreValue: boolean;
  /** Lease to attach the key to, in hexadecimal. */
  readonly lease: string;
  /** Show the key as it was. */
  readonly prevKv: boolean;
}

/** `put`: writes a key. */
export const putCommand: CommandSpec<PutOptions> = {
  names: ["put"],
  usage: "<key> [value]",
  description: "write a key; without a value, the value is read from standard input",
  flags: [
    booleanFlag("--ignore-lease", "keep the lease that the key has"),
    booleanFlag("--ignore-value", "keep the value that the key has"),
    textFlag("--lease <id>", "lease to attach the key to, in hexadecimal", "0"),
    booleanFlag("--prev-kv", "show the key and value as they were"),
  ],
  async run({ client, io, print }, { operands, options }) {
    const [key, value] = operands;
    const fromInput = key !== undefined && value === undefined && !options.ignoreValue;
    const input = fromInput ? await readAll(io.stdin) : undefined;
    print("put", await client.raw.kv.put(putRequest(operands, options, input)));
  },
};

/**
 * The request that operands and options of `put` stand for.
 *
 * @param input - the value, if it is not among the operands
 * @throws CommandError if they stand for none
 */
export function putRequest(
  [key, value]: readonly string[],
  options: PutOptions,
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
