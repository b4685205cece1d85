import { emptyBytes, prefixEnd, utf8 } from "@conclave/base";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";

/** The options by which a range of keys is named. */
export interface PermissionRangeOptions {
  /** All keys with the prefix. */
  readonly prefix: boolean;
  /** All keys from the key on. */
  readonly fromKey: boolean;
}

/** Those options. */
export const permissionRangeFlags: ReturnType<typeof booleanFlag>[] = [
  booleanFlag("--prefix", "the keys that start with the key"),
  booleanFlag("--from-key", "the keys from the key on"),
];

const openEnd = new Uint8Array(1);

/**
 * The range of a permission. An empty key stands for the lowest one.
 *
 * @throws CommandError if operands and options contradict each other
 */
export function parsePermissionRange(
  [key = "", ...ends]: readonly string[],
  { prefix, fromKey }: PermissionRangeOptions,
): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  if (prefix && fromKey) throw wrong("--from-key and --prefix flags are mutually exclusive");
  if (key === "") return { key: openEnd, rangeEnd: prefix || fromKey ? openEnd : emptyBytes };
  const [end] = ends;
  if (end === undefined) {
    const rangeEnd = prefix ? prefixEnd(utf8(key)) : openEnd;
    return { key: utf8(key), rangeEnd: prefix || fromKey ? rangeEnd : emptyBytes };
  }
  if (prefix) throw wrong("unexpected endkey argument with --prefix flag");
  if (fromKey) throw wrong("unexpected endkey argument with --from-key flag");
  return { key: utf8(key), rangeEnd: utf8(end) };
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}
