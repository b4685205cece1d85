import { concatBytes, emptyBytes, equalBytes, prefixEnd } from "@conclave/base";
import { ConclaveError } from "../conclave-error.ts";
import {
  type BytesInput,
  isOpenEnded,
  isSingleKey,
  type KeyRange,
  type RangeInput,
  singleKey,
  toBytes,
} from "./key-range.ts";

/**
 * The keys that a client sees: those with a prefix, shown without it. Every key that goes out or comes in passes
 * through here.
 */
export interface Keyspace {
  /** What every key starts with in the store; empty for the whole store. */
  readonly prefix: Uint8Array;
  /** The key in the store. */
  key(input: BytesInput): Uint8Array;
  /** The range in the store. */
  range(input: RangeInput): KeyRange;
  /** Whether a key of the store is one of these. */
  holds(key: Uint8Array): boolean;
  /** What the client sees of a key of the store that is one of these. */
  strip(key: Uint8Array): Uint8Array;
}

/**
 * Makes the space of the keys with a prefix.
 *
 * @param prefix - what every key starts with; empty for the whole store
 */
export function createKeyspace(prefix: Uint8Array): Keyspace {
  const key = (input: BytesInput) => {
    const bytes = toBytes(input);
    // The key equal to the prefix cannot be seen: it would be the empty key, which is none.
    if (bytes.length === 0) throw new ConclaveError("EMPTY_KEY", "etcdserver: key is not provided");
    return prefix.length === 0 ? bytes : concatBytes([prefix, bytes]);
  };
  return {
    prefix,
    key,
    range(input) {
      const range = typeof input === "string" || input instanceof Uint8Array ? singleKey(input) : input;
      if (prefix.length === 0 && range.key.length > 0) return range;
      if (isSingleKey(range)) return { key: key(range.key), rangeEnd: emptyBytes };
      return {
        key: key(range.key),
        rangeEnd: isOpenEnded(range) ? prefixEnd(prefix) : concatBytes([prefix, range.rangeEnd]),
      };
    },
    holds: (bytes) =>
      (bytes.length > prefix.length && equalBytes(bytes.subarray(0, prefix.length), prefix)) || prefix.length === 0,
    strip: (bytes) => bytes.subarray(prefix.length),
  };
}
