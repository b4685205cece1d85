import { binaryString, compareBytes } from "@conclave/base";

/** The keys `start <= key < end` as binary strings; an `end` of undefined is past every key. */
export interface KeyInterval {
  /** The first key. */
  readonly start: string;
  /** The first key past it; undefined if it has no end. */
  readonly end: string | undefined;
}

/**
 * The keys that `key` and `range_end` of a request or a permission name: one key if the end is empty, all from `key` on
 * if it is one zero byte, else the half-open range. Whoever names a range with nothing in it asks for its start.
 */
export function keyInterval(key: Uint8Array, rangeEnd: Uint8Array): KeyInterval {
  const start = binaryString(key);
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { start, end: undefined };
  const end = binaryString(rangeEnd);
  return { start, end: end > start ? end : `${start}\0` };
}

/** Whether an end lies at or past another. */
export function reaches(end: string | undefined, other: string | undefined): boolean {
  if (end === undefined) return true;
  return other !== undefined && end >= other;
}

/** Whether the range of a permission has at least one key in it. */
export function namesKeys({ key, rangeEnd }: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }): boolean {
  if (key.length === 0) return false;
  const isOpen = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return rangeEnd.length === 0 || isOpen || compareBytes(key, rangeEnd) < 0;
}
