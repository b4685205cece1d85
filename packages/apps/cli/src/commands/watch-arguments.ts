import type { WatchCreateRequest } from "@conclave/protocol/etcdserverpb";
import type { Option } from "commander";
import type { Invocation } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, int64Flag } from "../flags.ts";
import { parseKeyRange } from "./key-range.ts";

/** The options of one watch, also in a line of the interactive form. */
export const watchFlags: readonly Option[] = [
  booleanFlag("--prefix", "watch every key that starts with the given one"),
  booleanFlag("--prev-kv", "show each key and value as they were"),
  booleanFlag("--progress-notify", "tell now and then up to which revision nothing has happened"),
  int64Flag("rev", "revision to begin with; 0 for now"),
];

/** The options of `watch`. */
export interface WatchOptions {
  /** Read watches from standard input. */
  readonly interactive: boolean;
  /** Watch all keys that start with the key. */
  readonly prefix: boolean;
  /** Show each key as it was. */
  readonly prevKv: boolean;
  /** Tell now and then that nothing has happened. */
  readonly progressNotify: boolean;
  /** Where to begin; 0 for now. */
  readonly rev: bigint;
}

/** What to watch, and what to run at each event. */
export interface WatchArguments {
  /** The request. */
  readonly request: Partial<WatchCreateRequest>;
  /** Program and arguments; empty for none. */
  readonly program: readonly string[];
}

/**
 * Reads `<key> [range_end] [-- program [argument...]]`. Without operands, key and range end come from the
 * variables `ETCDCTL_WATCH_KEY` and `ETCDCTL_WATCH_RANGE_END` (or `CONCLAVECTL_…`).
 *
 * @throws CommandError if that is not what is there
 */
export function parseWatch(
  { operands, separated, options }: Invocation<WatchOptions>,
  env: Readonly<Record<string, string | undefined>>,
): WatchArguments {
  if (separated?.length === 0) throw badArguments("bad number of arguments (found separator --, but no commands)");
  const given = operands.slice(0, operands.length - (separated?.length ?? 0));
  const range = given.length > 0 ? given : rangeFromEnvironment(env);
  if (range.length === 0 || range.length > 2) throw badArguments("bad number of arguments");
  if (range.length === 2 && options.prefix) throw badArguments("`range_end` and `--prefix` are mutually exclusive");
  return {
    request: {
      ...parseKeyRange(range, { prefix: options.prefix, fromKey: false }),
      startRevision: options.rev,
      prevKv: options.prevKv,
      progressNotify: options.progressNotify,
    },
    program: separated ?? [],
  };
}

function rangeFromEnvironment(env: Readonly<Record<string, string | undefined>>): string[] {
  const read = (name: string) => env[`CONCLAVECTL_${name}`] ?? env[`ETCDCTL_${name}`];
  return [read("WATCH_KEY"), read("WATCH_RANGE_END")].filter((operand) => operand !== undefined);
}

function badArguments(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}
