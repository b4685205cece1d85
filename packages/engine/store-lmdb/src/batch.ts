/**
 * @module The form in which a batch of writes goes to the writing thread: one block of memory, handed over
 * without a copy. Per write, by bucket and key in order:
 *
 * ```
 *  | bucket u8 | kind u8 | key length u16 | value length u32 | key | value |     little-endian
 * ```
 * The bucket is its index in the list of buckets; the kind is 1 for a put and 0 for a deletion.
 */
import { asBuffer } from "@conclave/base";

const headBytes = 8;
const putKind = 1;
const deleteKind = 0;

/** Packs writes that are given one by one. */
export class BatchWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #buffer: Buffer;
  #used = 0;

  /** @param size - the sum of {@link batchWriteBytes} over all writes to come */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#buffer = asBuffer(this.#bytes);
  }

  /** Adds a write; its key is a binary string, its value null for a deletion. */
  add(bucket: number, key: string, value: Uint8Array | null): void {
    const at = this.#used;
    this.#buffer.writeUInt8(bucket, at);
    this.#buffer.writeUInt8(value === null ? deleteKind : putKind, at + 1);
    this.#buffer.writeUInt16LE(key.length, at + 2);
    this.#buffer.writeUInt32LE(value?.length ?? 0, at + 4);
    this.#buffer.write(key, at + headBytes, "latin1");
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
