/** @module Keys and ranges of keys. A range is half open, and its bytes are those of etcd's requests. */
import { compareBytes, concatBytes, emptyBytes, prefixEnd, utf8 } from "@conclave/base";
import { ConclaveError } from "../conclave-error.ts";

/** A key or value: bytes, or a string that is taken as UTF-8. */
export type BytesInput = string | Uint8Array;

/** The keys from `key` up to but not including `rangeEnd`. */
export interface KeyRange {
  /** The first key. */
  readonly key: Uint8Array;
  /** The first key after the range; empty for the single key, `\0` for no end. */
  readonly rangeEnd: Uint8Array;
}

/** A single key, or a range made by {@link prefix}, {@link directory}, {@link fromKey}, {@link between} or {@link allKeys}. */
export type RangeInput = BytesInput | KeyRange;

/** How the protocol writes "to the end of the key space", and the smallest key. */
const zeroByte = new Uint8Array(1);

/** The bytes of a key or value. */
export function toBytes(input: BytesInput): Uint8Array {
  return typeof input === "string" ? utf8(input) : input;
}

/** Just this key. */
export function singleKey(key: BytesInput): KeyRange {
  return { key: toBytes(key), rangeEnd: emptyBytes };
}

/**
 * Every key that starts with these bytes. `prefix("svc/foo")` holds `svc/foobar` too: for what is under
 * `svc/foo/` use {@link directory}. An empty prefix is every key.
 */
export function prefix(start: BytesInput): KeyRange {
  const key = toBytes(start);
  return key.length === 0 ? allKeys() : { key, rangeEnd: prefixEnd(key) };
}

/** Every key under a path: its prefix with one `/` at the end, so that `svc/foo` does not hold `svc/foobar`. */
export function directory(path: string): KeyRange {
  return prefix(path.endsWith("/") ? path : `${path}/`);
}

/** Every key at or after this one. */
export function fromKey(first: BytesInput): KeyRange {
  const key = toBytes(first);
  return { key: key.length === 0 ? zeroByte : key, rangeEnd: zeroByte };
}

/**
 * Every key from the first up to but not including the second.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if the end is not after the start
 */
export function between(start: BytesInput, end: BytesInput): KeyRange {
  const key = toBytes(start);
  const rangeEnd = toBytes(end);
  if (compareBytes(key, rangeEnd) >= 0)
    throw new ConclaveError(
      "INVALID_ARGUMENT",
      `Cannot make a range that ends at or before its start: ${show(key)} .. ${show(rangeEnd)}`,
    );
  return { key, rangeEnd };
}

/** Every key. */
export function allKeys(): KeyRange {
  return { key: zeroByte, rangeEnd: zeroByte };
}

/** Whether the range is one key. */
export function isSingleKey(range: KeyRange): boolean {
  return range.rangeEnd.length === 0;
}

/** Whether the range has no end. */
export function isOpenEnded(range: KeyRange): boolean {
  return range.rangeEnd.length === 1 && range.rangeEnd[0] === 0;
}

/** The smallest key after this one. */
export function keyAfter(key: Uint8Array): Uint8Array {
  return concatBytes([key, zeroByte]);
}

function show(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes).toString("latin1"));
}
