import { type Bucket, buckets, utf8Text } from "@conclave/base";
import type { DatabaseEntry } from "./database-entry.ts";
import { type DatabaseSource, NodeInput } from "./node-input.ts";
import { corruptPage } from "./snapshot-error.ts";
import { type LeafElement, readBucket, readTree } from "./tree-reader.ts";

/** A bucket as it is in a file. */
export interface FileBucket {
  readonly name: Uint8Array;
  /** Its entries in order, leaf by leaf; to be read before the next bucket. */
  readonly leaves: AsyncIterable<Iterable<LeafElement>>;
}

/**
 * Reads a database file of etcd, by whatever version it was written: the entries of every bucket that etcd has, in
 * order, bucket by bucket, those of `meta` last. Other buckets are passed over, as etcd does. Nothing in the file is
 * trusted, and no more of it is held in memory than the way to the present entry.
 *
 * The bytes of an entry are cut from larger pieces; whoever keeps a few of them for long copies them.
 *
 * @throws {@link SnapshotError} `CORRUPT`, also after many entries
 */
export async function* readDatabase(file: DatabaseSource): AsyncGenerator<DatabaseEntry> {
  for await (const { name, leaves } of readBuckets(await NodeInput.open(file))) {
    const bucket = knownBucket(utf8Text(name));
    if (bucket === undefined) continue;
    for await (const leaf of leaves) for (const { key, value } of leaf) yield { bucket, key, value };
  }
}

/** The buckets of a file in the order of their names; "meta" is the last of those that etcd has. */
export async function* readBuckets(input: NodeInput): AsyncGenerator<FileBucket> {
  const { root } = input.meta;
  for await (const leaf of readTree(input, root)) {
    for (const { key, value, isBucket } of leaf) {
      if (!isBucket) throw corruptPage(root, "it holds a value outside of all buckets");
      yield { name: key, leaves: valuesOf(readBucket(input, value, root), root) };
    }
  }
}

/** Passes on what a bucket holds; buckets hold no others. */
async function* valuesOf(
  leaves: AsyncIterable<Iterable<LeafElement>>,
  root: number,
): AsyncGenerator<Iterable<LeafElement>> {
  for await (const leaf of leaves) yield checkValues(leaf, root);
}

function* checkValues(leaf: Iterable<LeafElement>, root: number): Generator<LeafElement> {
  for (const element of leaf) {
    if (element.isBucket) throw corruptPage(root, "it holds a bucket that holds another");
    yield element;
  }
}

function knownBucket(name: string): Bucket | undefined {
  return buckets.find((bucket) => bucket === name);
}
