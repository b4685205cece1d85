import { ByteWriter } from "@conclave/base";

const initialBytes = 512;
/** Why 8 bytes for a length: the frames of the streams begin with a big-endian uint64. */
const uint64Bytes = 8;
const twoTo32 = 2 ** 32;

/**
 * Builds the bytes of one socket write: the frames of a batch, one behind the other. The socket keeps the bytes until
 * they are sent, so every batch has an array of its own.
 */
export class FrameWriter extends ByteWriter {
  /** @param bytes - how many are likely to come */
  constructor(bytes: number = initialBytes) {
    super(Buffer.allocUnsafe(bytes));
  }

  /** What was written. Nothing may be written after this. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.end);
  }

  /** Writes a safe integer ≥ 0 as a big-endian uint64. */
  uint64(value: number): void {
    this.setUint64(this.skipUint64(), value);
  }

  /** Leaves room for a big-endian uint64 that is known later; returns where it goes. */
  skipUint64(): number {
    const at = this.end;
    this.end += uint64Bytes;
    return at;
  }

  /** Fills a place that {@link FrameWriter.skipUint64} has left. */
  setUint64(at: number, value: number): void {
    this.#setUint32(at, Math.floor(value / twoTo32));
    this.#setUint32(at + 4, value % twoTo32);
  }

  #setUint32(at: number, value: number): void {
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  /** Every byte is written before it is read. */
  protected override allocate(length: number): Uint8Array {
    return Buffer.allocUnsafe(length);
  }
}
