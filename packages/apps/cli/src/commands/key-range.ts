import { emptyBytes, prefixEnd, utf8 } from "@conclave/base";
import { CommandError, exitCodes } from "../exit.ts";

/** Which keys a command is about, as the command line says it. */
export interface KeyRangeOptions {
  /** All keys that start with the key. */
  readonly prefix: boolean;
  /** All keys from the key on. */
  readonly fromKey: boolean;
}

/** Which keys a request is about, as the wire says it. */
export interface WireRange {
  /** The first key. */
  readonly key: Uint8Array;
  /** The end of the range, exclusive; empty for one key, `\0` for no end. */
  readonly rangeEnd: Uint8Array;
}

const everything = new Uint8Array(1);

/**
 * The range that operands and options name. The empty key cannot be asked for, so ranges from it start at `\0`.
 *
 * @throws CommandError if they contradict each other
 */
export function parseKeyRange([key = "", end]: readonly string[], options: KeyRangeOptions): WireRange {
  if (options.prefix && options.fromKey)
    throw badArguments("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  if (end !== undefined) {
    if (options.prefix || options.fromKey)
      throw badArguments("too many arguments, only accept one argument when `--prefix` or `--from-key` is set");
    return { key: utf8(key), rangeEnd: utf8(end) };
  }
  if (!options.prefix && !options.fromKey) return { key: utf8(key), rangeEnd: emptyBytes };
  const first = key === "" ? everything : utf8(key);
  return { key: first, rangeEnd: options.fromKey || key === "" ? everything : prefixEnd(first) };
}

function badArguments(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}
