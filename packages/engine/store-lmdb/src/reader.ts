import { type BackendEntry, type BackendScan, type Bucket, invariant } from "@conclave/base";
import type { RangeOptions } from "lmdb";
import type { BucketDatabase, Environment } from "./environment.ts";

/** Entries copied out of LMDB at a time. No read transaction stays open between chunks, as one would make LMDB grow. */
const chunkEntries = 256;

/** Reads a value; the bytes are the caller's. */
export function readValue(environment: Environment, bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
  return databaseOf(environment, bucket).get(key);
}

/** Reads a range in chunks, in which the environment may be replaced by another of the same content. */
export function* readRange(
  environment: () => Environment,
  bucket: Bucket,
  scan: BackendScan,
): Generator<readonly BackendEntry[]> {
  let last: Uint8Array | undefined;
  for (;;) {
    const database = databaseOf(environment(), bucket);
    const chunk: BackendEntry[] = [];
    for (const { key, value } of database.getRange(rangeOptions(scan, last))) chunk.push([key, value]);
    yield chunk;
    last = chunk.at(-1)?.[0];
    if (last === undefined || chunk.length < chunkEntries) return;
  }
}

/** LMDB's range runs from `start` to `end` in the direction of reading. */
function rangeOptions({ start, end, reverse = false }: BackendScan, last: Uint8Array | undefined): RangeOptions {
  const options = {
    limit: chunkEntries,
    reverse,
    // A bound that is undefined is not one left out: that would be the library's own, behind what it reserves.
    start: bound(last ?? (reverse ? end : start)),
    end: bound(reverse ? start : end),
    exclusiveStart: reverse || last !== undefined,
    inclusiveEnd: reverse,
  };
  return options as RangeOptions;
}

/** The empty key, which LMDB does not know, is no bound: nothing lies below it. */
function bound(key: Uint8Array | undefined): Uint8Array | undefined {
  return key?.length === 0 ? undefined : key;
}

function databaseOf(environment: Environment, bucket: Bucket): BucketDatabase {
  const database = environment.databases.get(bucket);
  invariant(database !== undefined, "every bucket has a database", bucket);
  return database;
}
