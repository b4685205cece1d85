/**
 * @module The port of the live store: ordered buckets of byte strings, written in batches.
 *
 * Writes are buffered in memory and seen by reads at once. `commit` makes everything that was buffered when it
 * was called durable as one atomic unit, off the hot path. After a crash the store holds some prefix of the
 * commits, never a part of one. The applied index of the log is written beside its effects in the same batch,
 * so what was lost is replayed from the WAL.
 */

/** The buckets of a store, named as in etcd's own database file. */
export const buckets = [
  "key",
  "meta",
  "lease",
  "auth",
  "authUsers",
  "authRoles",
  "members",
  "members_removed",
  "cluster",
  "alarm",
] as const;

/** The name of a bucket. */
export type Bucket = (typeof buckets)[number];

/** A key and its value, both owned by the reader. */
export type BackendEntry = readonly [key: Uint8Array, value: Uint8Array];

/** What a scan may be told. */
export interface BackendScan {
  /** First key, inclusive; default: the first of the bucket. */
  readonly start?: Uint8Array;
  /** Last key, exclusive; default: past the end of the bucket. */
  readonly end?: Uint8Array;
  /** From the last key to the first. */
  readonly reverse?: boolean;
}

/** How much of the disk the store takes. */
export interface BackendSize {
  /** Bytes of the file. */
  readonly totalBytes: number;
  /** Bytes of the file that hold live data. */
  readonly inUseBytes: number;
}

/** The state of a store as of one commit, unchanged by what is written or replaced meanwhile. */
export interface BackendView {
  /** The value of a key, or undefined. */
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  /** The entries of a bucket in order. */
  scan(bucket: Bucket): Iterable<BackendEntry>;
  /**
   * Lets go of it; it cannot be read any more. A view that stays open keeps the store from reusing the space of what
   * is deleted, and a defragmentation waiting.
   */
  close(): void;
}

/** The live store, synchronous for reads and buffered writes. Keys are at most 1 900 bytes long. */
export interface Backend {
  /** The value of a key, or undefined. The bytes stay valid and unchanged for ever. */
  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined;
  /**
   * The entries of a range in order. The iterator sees the writes made before it was created; a caller must
   * not write to the bucket while it iterates.
   */
  scan(bucket: Bucket, scan?: BackendScan): Iterable<BackendEntry>;
  /** Buffers a write. The backend keeps both arrays; the caller must not change them afterwards. */
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void;
  /** Buffers a deletion; deleting what is not there does nothing. */
  delete(bucket: Bucket, key: Uint8Array): void;
  /** Buffered operations and bytes that no commit has taken yet. */
  readonly pending: { readonly operations: number; readonly bytes: number };
  /**
   * Makes all that is buffered durable, atomically; resolves when it is. Commits run one after another.
   *
   * @throws the error of the disk; the store must not be used any more after one
   */
  commit(): Promise<void>;
  /** The state as of the last commit, to be copied out in slices while writes go on. */
  openView(): BackendView;
  /**
   * Replaces all content, buffered writes included, by these entries, which come bucket by bucket. What they say of
   * `meta` becomes durable last: a store whose replacement was interrupted has no applied index.
   *
   * The content before it stays readable, in views too, until the promise settles. Nothing may be written meanwhile.
   * Closing the store ends it.
   *
   * @throws the error of the disk, as `commit` does, or that of the entries; the store is empty or incomplete then,
   *   and after an error of the entries it may be replaced again
   */
  replace(entries: AsyncIterable<readonly [bucket: Bucket, key: Uint8Array, value: Uint8Array]>): Promise<void>;
  /** The sizes as of the last commit. */
  size(): BackendSize;
  /** Gives space of deleted data back to the file system, online, once no view is open. */
  defragment(): Promise<void>;
  /** Commits nothing more and lets go of the files. What was not committed is lost. */
  close(): Promise<void>;
}
