import { ByteWriter } from "@conclave/base";

const initialBytes = 64 * 1024;
const keptBytesMax = 4 * 1024 * 1024;

/** A byte buffer that grows at its end and is used again and again. */
export class AppendBuffer extends ByteWriter {
  constructor() {
    super(new Uint8Array(initialBytes));
  }

  /** A view of bytes `[start, end)`, valid until the next call that appends or clears. */
  view(start: number, end: number): Uint8Array {
    return this.bytes.subarray(start, end);
  }

  /** Forgets the content. A buffer that one huge batch has blown up is given back. */
  clear(): void {
    this.end = 0;
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(initialBytes);
  }

  /** Appends zero bytes. */
  zeros(count: number): void {
    this.bytes.fill(0, this.end, this.end + count);
    this.end += count;
  }

  /** Takes out bytes `[start, start + count)`; what follows moves down. */
  cut(start: number, count: number): void {
    this.bytes.copyWithin(start, start + count, this.end);
    this.end -= count;
  }

  /** Overwrites a byte that was appended before. */
  setByte(at: number, value: number): void {
    this.bytes[at] = value;
  }

  /** Overwrites bytes that were appended before with a 32-bit number as a varint; returns how many it took. */
  setVarint32(at: number, value: number): number {
    let rest = value;
    let end = at;
    while (rest >= 0x80) {
      this.bytes[end++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[end++] = rest;
    return end - at;
  }

  /** Overwrites four bytes that were appended before with a number, lowest byte first. */
  setUint32(at: number, value: number): void {
    this.bytes[at] = value;
    this.bytes[at + 1] = value >>> 8;
    this.bytes[at + 2] = value >>> 16;
    this.bytes[at + 3] = value >>> 24;
  }
}
