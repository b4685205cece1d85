import { binaryString } from "@conclave/base";

/** The keys `start <= key < end`, as binary strings. */
export interface KeyRange {
  readonly start: string;
  /** Undefined: to the end of the key space. */
  readonly end: string | undefined;
}

/**
 * The keys that a request's `key` and `range_end` name: one key if `range_end` is empty, all from `key` on if it
 * is one zero byte, else the half-open range. An end that is not above the start names no key.
 */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  const start = binaryString(key);
  if (rangeEnd.length === 0) return { start, end: `${start}\0` };
  return { start, end: isOpenEnd(rangeEnd) ? undefined : binaryString(rangeEnd) };
}

/** Whether a `range_end` means "to the end of the key space". */
function isOpenEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}
