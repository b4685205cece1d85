import { type Backend, type Bucket, buckets, crc32c, utf8, utf8Text } from "@conclave/base";

/** Entries hashed in one slice. */
const hashSlice = 2_048;

/** Keys of the "meta" bucket that differ between members or versions without any difference in content. */
const leftOut: ReadonlySet<string> = new Set(["consistent_index", "term", "storageVersion"]);

/**
 * The checksum over all buckets: CRC-32C over each bucket's name and its keys and values, buckets in the order of
 * their names. Given in slices; what is written between them may or may not be covered.
 */
export function* bucketsHashSlices(backend: Backend): Generator<undefined, number> {
  let crc = 0;
  for (const bucket of buckets.toSorted()) {
    crc = crc32c(utf8(bucket), crc);
    let start: Uint8Array | undefined = new Uint8Array(0);
    while (start !== undefined) {
      ({ crc, next: start } = hashSome(backend, bucket, { start, crc }));
      yield;
    }
  }
  return crc;
}

interface Progress {
  readonly start: Uint8Array;
  readonly crc: number;
}

function hashSome(backend: Backend, bucket: Bucket, progress: Progress): { crc: number; next: Uint8Array | undefined } {
  let { crc } = progress;
  let hashed = 0;
  for (const [key, value] of backend.scan(bucket, { start: progress.start })) {
    if (hashed === hashSlice) return { crc, next: key };
    hashed++;
    if (bucket !== "meta" || !leftOut.has(utf8Text(key))) crc = crc32c(value, crc32c(key, crc));
  }
  return { crc, next: undefined };
}
