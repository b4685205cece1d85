/**
 * @module The form in which a batch of writes goes to the writing thread: one block of memory, handed over
 * without a copy. Per write, by bucket and key in order:
 *
 * ```
 *  | bucket u8 | kind u8 | key length u16 | value length u32 | key | value |     little-endian
 * ```
 * The bucket is its index in the list of buckets; the kind is 1 for a put and 0 for a deletion.
 */
const headBytes = 8;
const putKind = 1;
const deleteKind = 0;

/** Packs writes that are given one by one. */
export class BatchWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #used = 0;

  /** @param size - the sum of {@link batchWriteBytes} over all writes to come */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  /** Adds a write; its key is a binary string, its value null for a deletion. */
  add(bucket: number, key: string, value: Uint8Array | null): void {
    const bytes = this.#bytes;
    const valueBytes = value?.length ?? 0;
    let at = this.#used;
    bytes[at++] = bucket;
    bytes[at++] = value === null ? deleteKind : putKind;
    bytes[at++] = key.length;
    bytes[at++] = key.length >>> 8;
    bytes[at++] = valueBytes;
    bytes[at++] = valueBytes >>> 8;
    bytes[at++] = valueBytes >>> 16;
    bytes[at++] = valueBytes >>> 24;
    // Most keys are short: a call of Buffer would cost more than the loop.
    for (let index = 0; index < key.length; index++) bytes[at++] = key.charCodeAt(index);
    if (value !== null) bytes.set(value, at);
    this.#used = at + valueBytes;
  }

  /** The packed batch. */
  get buffer(): ArrayBuffer {
    return this.#bytes.buffer;
  }
}

/** Bytes that a write takes in a batch. */
export function batchWriteBytes(key: string, value: Uint8Array | null): number {
  return headBytes + key.length + (value?.length ?? 0);
}
