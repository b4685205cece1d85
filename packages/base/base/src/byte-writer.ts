/**
 * Builds bytes at the end of an array that grows, with the varints of protobuf. Who writes makes room first: nothing
 * below checks for it.
 */
export class ByteWriter {
  /** The bytes; those from `end` on are not written yet. */
  protected bytes: Uint8Array;
  /** How many bytes were written. */
  protected end = 0;

  /** @param bytes - where to begin */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** How many bytes were written. */
  get length(): number {
    return this.end;
  }

  /** Makes room for so many bytes more. */
  reserve(bytes: number): void {
    const needed = this.end + bytes;
    if (needed <= this.bytes.length) return;
    const grown = this.allocate(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
  }

  /** Writes one byte. */
  byte(value: number): void {
    this.bytes[this.end++] = value;
  }

  /** Writes bytes. */
  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** Writes a safe integer ≥ 0 as a varint. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.bytes[this.end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      this.bytes[this.end++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.end++] = rest;
  }

  /** Writes an unsigned 64-bit integer as a varint. */
  varint64(value: bigint): void {
    let rest = value;
    while (rest >= 0x80n) {
      this.bytes[this.end++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.end++] = Number(rest);
  }

  /** A new array for the bytes. */
  protected allocate(length: number): Uint8Array {
    return new Uint8Array(length);
  }
}

/** How many bytes a safe integer ≥ 0 takes as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
