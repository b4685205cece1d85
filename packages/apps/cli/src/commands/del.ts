import type { DeleteRangeRequest } from "@conclave/protocol/etcdserverpb";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { type KeyRangeOptions, parseKeyRange } from "./key-range.ts";

/** The options of `del`. */
export interface DelOptions extends KeyRangeOptions {
  /** Show what was deleted. */
  readonly prevKv: boolean;
}

/** `del`: deletes a key or a range. */
export const delCommand: CommandSpec<DelOptions> = {
  names: ["del"],
  usage: "<key> [range_end]",
  description: "delete a key or a range of keys",
  flags: [
    booleanFlag("--from-key", "delete every key from the given one on"),
    booleanFlag("--prefix", "delete every key that starts with the given one"),
    booleanFlag("--prev-kv", "show the deleted keys and values"),
    booleanFlag("--range", "accepted, no effect: ranges are deleted without a pause in any case"),
  ],
  async run({ client, print }, { operands, options }) {
    print("del", await client.raw.kv.deleteRange(deleteRangeRequest(operands, options)));
  },
};

/**
 * The request that operands and options of `del` stand for.
 *
 * @throws CommandError if they stand for none
 */
export function deleteRangeRequest(operands: readonly string[], options: DelOptions): DeleteRangeRequest {
  if (operands.length === 0 || operands.length > 2)
    throw new CommandError(
      exitCodes.badArguments,
      "del command needs one argument as key and an optional argument as range_end",
    );
  return { ...parseKeyRange(operands, options), prevKv: options.prevKv };
}
