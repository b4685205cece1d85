import type { Bucket } from "@conclave/base";

/** One key of the database with its value. */
export interface DatabaseEntry {
  /** The bucket that holds it. */
  readonly bucket: Bucket;
  /** The key. */
  readonly key: Uint8Array;
  /** The value. */
  readonly value: Uint8Array;
}
