import { type BackendEntry, binaryString, binaryStringBytes } from "@conclave/base";
import type { OverlayWrite } from "./overlay.ts";

/**
 * A range as stored with buffered writes laid over it.
 *
 * @param stored - chunks in the direction of the scan
 * @param writes - the writes of the range, ascending
 */
export function* mergeScan(
  stored: Iterable<readonly BackendEntry[]>,
  writes: readonly OverlayWrite[],
  reverse: boolean,
): Generator<BackendEntry> {
  const buffered = reverse ? writes.toReversed() : writes;
  const comesFirst = (left: string, right: string) => (reverse ? left > right : left < right);
  let at = 0;
  for (const chunk of stored) {
    if (at === buffered.length) {
      yield* chunk;
      continue;
    }
    for (const entry of chunk) {
      const name = binaryString(entry[0]);
      for (let write = buffered[at]; write !== undefined && comesFirst(write[0], name); write = buffered[++at])
        yield* asEntry(write);
      const write = buffered[at];
      if (write?.[0] !== name) yield entry;
      else {
        yield* asEntry(write);
        at++;
      }
    }
  }
  for (const write of buffered.slice(at)) yield* asEntry(write);
}

/** The entry that a write makes; a deletion makes none. */
function asEntry([key, value]: OverlayWrite): readonly BackendEntry[] {
  return value === null ? [] : [[binaryStringBytes(key), value]];
}
