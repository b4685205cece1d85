/** @module Writes that LMDB does not hold yet, kept so that reads see them and a commit can take them. */
import { type Bucket, binaryString, buckets, invariant } from "@conclave/base";
import { BatchWriter, batchWriteBytes } from "./batch.ts";

/** A buffered write; the value is null for a deletion. */
export type OverlayWrite = readonly [key: string, value: Uint8Array | null];

/** The buffered writes of one bucket. */
class BucketOverlay {
  readonly #writes = new Map<string, Uint8Array | null>();
  /** The keys in order once `#isSorted`. Keys mostly come in ascending order, and then they need no sorting. */
  readonly #keys: string[] = [];
  #isSorted = true;

  /** Keys written to. */
  get size(): number {
    return this.#writes.size;
  }

  get(key: string): Uint8Array | null | undefined {
    return this.#writes.get(key);
  }

  /** Sets a write and returns by how many bytes the batch has grown. */
  set(key: string, value: Uint8Array | null): number {
    const before = this.#writes.get(key);
    this.#writes.set(key, value);
    if (before !== undefined) return (value?.length ?? 0) - (before?.length ?? 0);
    const last = this.#keys.at(-1);
    if (last !== undefined && key < last) this.#isSorted = false;
    this.#keys.push(key);
    return batchWriteBytes(key, value);
  }

  /** The writes with `start <= key < end` in order. */
  range(start: string, end: string | undefined): OverlayWrite[] {
    const keys = this.#sortedKeys();
    const first = lowerBound(keys, start);
    const last = end === undefined ? keys.length : lowerBound(keys, end);
    return keys.slice(first, last).map((key) => [key, this.#writes.get(key) ?? null]);
  }

  #sortedKeys(): readonly string[] {
    if (!this.#isSorted) {
      this.#keys.sort(compareStrings); // Runs that are in order already are found and merged.
      this.#isSorted = true;
    }
    return this.#keys;
  }
}

/** The buffered writes of all buckets. */
export class Overlay {
  readonly #buckets: ReadonlyMap<Bucket, BucketOverlay> = new Map(
    buckets.map((bucket) => [bucket, new BucketOverlay()]),
  );
  #operations = 0;
  #bytes = 0;

  /** Keys written to. */
  get operations(): number {
    return this.#operations;
  }

  /** Size of the batch they make. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was written to a key: its value, null if it was deleted, undefined if nothing. */
  get(bucket: Bucket, key: string): Uint8Array | null | undefined {
    return this.#buckets.get(bucket)?.get(key);
  }

  /** Buffers a write. */
  set(bucket: Bucket, key: Uint8Array, value: Uint8Array | null): void {
    const overlay = this.#buckets.get(bucket);
    invariant(overlay !== undefined, "every bucket has an overlay", bucket);
    const before = overlay.size;
    this.#bytes += overlay.set(binaryString(key), value);
    this.#operations += overlay.size - before;
  }

  /** The writes of a part of a bucket in order. */
  range(bucket: Bucket, start: string, end: string | undefined): readonly OverlayWrite[] {
    return this.#buckets.get(bucket)?.range(start, end) ?? [];
  }

  /** All writes as a batch for the writing thread. */
  toBatch(): ArrayBuffer {
    const batch = new BatchWriter(this.#bytes);
    for (const [index, bucket] of buckets.entries())
      for (const [key, value] of this.range(bucket, "", undefined)) batch.add(index, key, value);
    return batch.buffer;
  }
}

/** One list made of two in order; where both hold a key, the write of `newer` counts. */
export function mergeWrites(newer: readonly OverlayWrite[], older: readonly OverlayWrite[]): readonly OverlayWrite[] {
  if (older.length === 0) return newer;
  if (newer.length === 0) return older;
  const merged = new Map([...older, ...newer]);
  return [...merged].sort(([left], [right]) => compareStrings(left, right));
}

function compareStrings(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
