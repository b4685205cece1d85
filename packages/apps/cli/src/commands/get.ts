import { RangeRequest, RangeRequest_SortOrder, RangeRequest_SortTarget } from "@conclave/protocol/etcdserverpb";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, int64Flag, textFlag } from "../flags.ts";
import { isSerializable } from "./consistency.ts";
import { type KeyRangeOptions, parseKeyRange } from "./key-range.ts";

/** The options of `get`. */
export interface GetOptions extends KeyRangeOptions {
  /** `l` for linearizable, `s` for serializable. */
  readonly consistency: string;
  /** Most records; 0 for all. */
  readonly limit: bigint;
  /** Revision to read at; 0 for now. */
  readonly rev: bigint;
  /** Direction of sorting. */
  readonly order: string;
  /** What to sort by. */
  readonly sortBy: string;
  /** Leave values out. */
  readonly keysOnly: boolean;
  /** Ask how many there are, and for none of them. */
  readonly countOnly: boolean;
  /** Write only values. */
  readonly printValueOnly: boolean;
  /** Sort by key, ascending. */
  readonly sort?: boolean;
  /** Linearizable, as is the default: what older programs ask for by this name. */
  readonly consistent?: boolean;
}

/** `get`: reads a key or a range. */
export const getCommand: CommandSpec<GetOptions> = {
  names: ["get"],
  usage: "<key> [range_end]",
  description: "read a key or a range of keys",
  flags: [
    textFlag("--consistency <l|s>", "linearizable (l) or serializable (s)", "l"),
    booleanFlag("--count-only", "with -w fields: only how many keys there are"),
    booleanFlag("--from-key", "read every key from the given one on"),
    booleanFlag("--keys-only", "leave the values out"),
    int64Flag("limit", "most keys to read; 0 for no limit"),
    textFlag("--order <order>", "ASCEND or DESCEND"),
    booleanFlag("--prefix", "read every key that starts with the given one"),
    booleanFlag("--print-value-only", "with -w simple: leave the keys out"),
    int64Flag("rev", "revision to read at; 0 for now"),
    textFlag("--sort-by <target>", "CREATE, KEY, MODIFY, VALUE or VERSION"),
    booleanFlag("--sort", "short for --order=ASCEND"),
    booleanFlag("--consistent", "short for --consistency=l"),
  ],
  async run({ client, flags, print }, { operands, options }) {
    if (options.countOnly && flags.writeOut !== "fields")
      throw new CommandError(exitCodes.badArguments, "--count-only is only for `--write-out=fields`");
    if (options.printValueOnly && flags.writeOut !== "simple")
      throw new CommandError(exitCodes.badArguments, "print-value-only is only for `--write-out=simple`");
    print("get", await client.raw.kv.range(rangeRequest(operands, options)));
  },
};

/**
 * The request that operands and options of `get` stand for.
 *
 * @throws CommandError if they stand for none
 */
export function rangeRequest(operands: readonly string[], options: GetOptions): RangeRequest {
  if (operands.length === 0)
    throw new CommandError(
      exitCodes.badArguments,
      "get command needs one argument as key and an optional argument as range_end",
    );
  if (options.keysOnly && options.countOnly)
    throw new CommandError(
      exitCodes.badArguments,
      "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
    );
  return RangeRequest.fromPartial({
    ...parseKeyRange(operands, options),
    serializable: options.consistent === true ? false : isSerializable(options.consistency),
    limit: options.limit,
    revision: options.rev,
    sortOrder: options.sort === true && options.order === "" ? RangeRequest_SortOrder.ASCEND : sortOrder(options.order),
    sortTarget: sortTarget(options.sortBy),
    keysOnly: options.keysOnly,
    countOnly: options.countOnly,
  });
}

function sortOrder(name: string): RangeRequest_SortOrder {
  switch (name.toUpperCase()) {
    case "":
      return RangeRequest_SortOrder.NONE;
    case "ASCEND":
      return RangeRequest_SortOrder.ASCEND;
    case "DESCEND":
      return RangeRequest_SortOrder.DESCEND;
    default:
      throw new CommandError(exitCodes.badFeature, `bad sort order ${name}`);
  }
}

function sortTarget(name: string): RangeRequest_SortTarget {
  switch (name.toUpperCase()) {
    case "":
    case "KEY":
      return RangeRequest_SortTarget.KEY;
    case "CREATE":
      return RangeRequest_SortTarget.CREATE;
    case "MODIFY":
      return RangeRequest_SortTarget.MOD;
    case "VALUE":
      return RangeRequest_SortTarget.VALUE;
    case "VERSION":
      return RangeRequest_SortTarget.VERSION;
    default:
      throw new CommandError(exitCodes.badFeature, `bad sort target ${name}`);
  }
}
