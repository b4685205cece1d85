/**
 * @module The form in which a batch of writes goes to the writing thread: one block of memory, handed over
 * without a copy. Per write, by bucket and key in order:
 *
 * ```
 *  | bucket u8 | kind u8 | key length u16 | value length u32 | key | value |     little-endian
 * ```
 * The bucket is its index in the list of buckets; the kind is 1 for a put and 0 for a deletion.
 */
import { binaryStringBytes } from "@conclave/base";

const headBytes = 8;
const putKind = 1;
const deleteKind = 0;

/** Packs writes that are given one by one. */
export class BatchWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #used = 0;

  /** @param size - the sum of {@link batchWriteBytes} over all writes to come */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Adds a write; its key is a binary string, its value null for a deletion. */
  add(bucket: number, key: string, value: Uint8Array | null): void {
    const at = this.#used;
    this.#view.setUint8(at, bucket);
    this.#view.setUint8(at + 1, value === null ? deleteKind : putKind);
    this.#view.setUint16(at + 2, key.length, true);
    this.#view.setUint32(at + 4, value?.length ?? 0, true);
    this.#bytes.set(binaryStringBytes(key), at + headBytes);
    if (value !== null) this.#bytes.set(value, at + headBytes + key.length);
    this.#used = at + batchWriteBytes(key, value);
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
