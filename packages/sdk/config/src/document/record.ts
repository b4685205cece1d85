/**
 * @module A value with what is to be known about it: one line of JSON, and behind it the bytes of the value as they
 * are, so that a value of any codec, an encrypted one too, is kept as it was published.
 */
import { concatBytes, utf8, utf8Text } from "@conclave/base";

const lineFeed = 0x0a;

/** Where a record of a value came from. */
export interface StoredRecord {
  /** What is to be known about the value, unchecked; undefined if it cannot be read. */
  readonly about: unknown;
  /** The value. */
  readonly value: Uint8Array;
}

/** The bytes of a record. */
export function encodeRecord(about: object, value: Uint8Array): Uint8Array {
  return concatBytes([utf8(`${JSON.stringify(about)}\n`), value]);
}

/** The record in these bytes. */
export function decodeRecord(bytes: Uint8Array): StoredRecord {
  const end = bytes.indexOf(lineFeed);
  if (end < 0) return { about: undefined, value: bytes };
  return { about: parse(utf8Text(bytes.subarray(0, end))), value: bytes.subarray(end + 1) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Not of this package: whoever reads it finds that nothing is known about the value.
  }
}
