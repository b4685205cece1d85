/** @module What an optimistic transaction will write, and what that makes of what it reads. */
import { binaryString, compareBytes } from "@conclave/base";
import type { KeyRange } from "../kv/key-range.ts";
import { isOpenEnded } from "../kv/key-range.ts";
import type { KeyValue } from "../kv/key-value.ts";
import { type Op, op } from "../kv/op.ts";

/** A pair as a transaction sees it. */
export interface Pair {
  /** The key. */
  readonly key: Uint8Array;
  /** The value, perhaps one that the transaction has put itself. */
  readonly value: Uint8Array;
}

interface Write {
  readonly key: Uint8Array;
  /** Undefined: delete it. */
  readonly value: Uint8Array | undefined;
  readonly lease: bigint;
}

/** The last write of each key. */
export class WriteSet {
  readonly #writes = new Map<string, Write>();

  /** How many keys it writes. */
  get size(): number {
    return this.#writes.size;
  }

  /** Writes a key, or deletes it if there is no value. */
  set(write: Write): void {
    this.#writes.set(binaryString(write.key), write);
  }

  /** What was written to a key; undefined if nothing was. */
  get(key: Uint8Array): Write | undefined {
    return this.#writes.get(binaryString(key));
  }

  /** The pairs of a range with the writes in place, in key order. */
  overlay(range: KeyRange, kvs: readonly KeyValue[]): readonly Pair[] {
    const pairs = new Map<string, Pair>(kvs.map(({ key, value }) => [binaryString(key), { key, value }]));
    for (const [name, { key, value }] of this.#writes) {
      if (!holds(range, key)) continue;
      if (value === undefined) pairs.delete(name);
      else pairs.set(name, { key, value });
    }
    return [...pairs.values()].sort((left, right) => compareBytes(left.key, right.key));
  }

  /** The operations that do it. */
  ops(): readonly Op<unknown>[] {
    return [...this.#writes.values()].map(({ key, value, lease }) =>
      value === undefined ? op.delete(key) : op.put(key, value, { lease }),
    );
  }
}

function holds(range: KeyRange, key: Uint8Array): boolean {
  if (compareBytes(key, range.key) < 0) return false;
  return isOpenEnded(range) || compareBytes(key, range.rangeEnd) < 0;
}
