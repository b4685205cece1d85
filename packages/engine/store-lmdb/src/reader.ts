import { type BackendEntry, type BackendScan, type Bucket, invariant } from "@conclave/base";
import type { RangeOptions, Transaction } from "lmdb";
import type { BucketDatabase, Environment } from "./environment.ts";

/** What to read from: an environment, as of a read transaction if there is one, else as of its last write. */
export interface ReadSource {
  readonly environment: Environment;
  readonly transaction: Transaction | undefined;
}

/** Entries copied out of LMDB at a time. No read transaction stays open between chunks, as one would make LMDB grow. */
const chunkEntries = 256;

/** Reads a value; the bytes are the caller's. */
export function readValue(source: ReadSource, bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
  const { environment, transaction } = source;
  const database = databaseOf(environment, bucket);
  return transaction === undefined ? database.get(key) : database.get(key, { transaction });
}

/** Reads a range in chunks, between which the source may be replaced by another of the same content. */
export function* readRange(
  source: () => ReadSource,
  bucket: Bucket,
  scan: BackendScan,
): Generator<readonly BackendEntry[]> {
  let last: Uint8Array | undefined;
  for (;;) {
    const { environment, transaction } = source();
    const options = rangeOptions(scan, last);
    if (transaction !== undefined) options.transaction = transaction;
    const chunk: BackendEntry[] = [];
    for (const { key, value } of databaseOf(environment, bucket).getRange(options)) chunk.push([key, value]);
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
