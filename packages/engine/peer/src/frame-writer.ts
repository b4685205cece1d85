const initialBytes = 512;
/** Why 8 bytes for a length: the frames of the streams begin with a big-endian uint64. */
const uint64Bytes = 8;
const twoTo32 = 2 ** 32;

/**
 * Builds the bytes of one socket write: the frames of a batch, one behind the other. The socket keeps the bytes until
 * they are sent, so every batch has an array of its own.
 */
export class FrameWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** @param bytes - how many are likely to come */
  constructor(bytes: number = initialBytes) {
    this.#bytes = Buffer.allocUnsafe(bytes);
  }

  /** How many bytes were written. */
  get length(): number {
    return this.#length;
  }

  /** What was written. Nothing may be written after this. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room for so many bytes; the writes below rely on it and do not check. */
  reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  /** Writes one byte. */
  byte(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  /** Writes bytes. */
  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Writes a safe integer ≥ 0 as a varint. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  /** Writes an unsigned 64-bit integer as a varint. */
  varint64(value: bigint): void {
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  /** Writes a safe integer ≥ 0 as a big-endian uint64. */
  uint64(value: number): void {
    this.setUint64(this.skipUint64(), value);
  }

  /** Leaves room for a big-endian uint64 that is known later; returns where it goes. */
  skipUint64(): number {
    const at = this.#length;
    this.#length += uint64Bytes;
    return at;
  }

  /** Fills a place that {@link FrameWriter.skipUint64} has left. */
  setUint64(at: number, value: number): void {
    this.#setUint32(at, Math.floor(value / twoTo32));
    this.#setUint32(at + 4, value % twoTo32);
  }

  #setUint32(at: number, value: number): void {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }
}

/** How many bytes a safe integer ≥ 0 takes as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
