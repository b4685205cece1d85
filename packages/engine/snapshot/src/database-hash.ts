import { asBuffer, crc32c, utf8Text } from "@conclave/base";
import { type DatabaseSource, NodeInput } from "./node-input.ts";
import { readBuckets } from "./read-database.ts";

/** What can be said of a database as a whole; etcd's `snapshot status`. */
export interface DatabaseStatus {
  /** CRC-32C of the names of all buckets, each followed by its keys and values; how pages are laid out does not count. */
  readonly hash: number;
  /** The newest revision of a key; 0 if there is none. */
  readonly revision: number;
  /** Entries of all buckets. */
  readonly totalKeys: number;
  /** Bytes of the database, without a checksum or unused space behind it. */
  readonly sizeBytes: number;
}

/** Length of a key of the bucket "key": revision, `_`, place in it, and a mark if it is a deletion. */
const revisionKeyBytesMin = 17;

/**
 * Reads a database from the first entry to the last and says what etcd's `snapshot status` says of it.
 *
 * @throws {@link SnapshotError} `CORRUPT`
 */
export async function databaseHash(file: DatabaseSource): Promise<DatabaseStatus> {
  const input = await NodeInput.open(file);
  let hash = 0;
  let revision = 0;
  let totalKeys = 0;
  for await (const { name, leaves } of readBuckets(input)) {
    hash = crc32c(name, hash);
    const holdsRevisions = utf8Text(name) === "key";
    for await (const leaf of leaves) {
      for (const { key, value } of leaf) {
        hash = crc32c(value, crc32c(key, hash));
        totalKeys++;
        if (holdsRevisions && key.length >= revisionKeyBytesMin) revision = Number(asBuffer(key).readBigUInt64BE());
      }
    }
  }
  return { hash, revision, totalKeys, sizeBytes: input.meta.highWater * input.meta.pageBytes };
}
