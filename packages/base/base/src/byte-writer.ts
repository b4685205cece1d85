/**
 * Builds bytes at the end of an array that grows, with the varints of protobuf. Who writes makes room first: nothing
 * below checks for it.
 */
export class ByteWriter {
  /** The bytes; those from `end` on are not written yet. */
  protected bytes: Uint8Array;
  /** How many bytes were written. */
  protected end = 0;

  /**
   * @param bytes - what is written to, until it grows
   * @param at - where to begin
   */
  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.end = at;
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
    // Halves are numbers: arithmetic on bigints makes a new one at each step.
    let low = Number(BigInt.asUintN(32, value));
    let high = Number(value >> 32n);
    while (high > 0) {
      this.bytes[this.end++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.varint(low);
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

/** How many bytes an unsigned 64-bit integer takes as a varint. */
export function varint64Bytes(value: bigint): number {
  const high = Number(value >> 32n);
  const bits = high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(Number(value));
  return Math.max(1, Math.ceil(bits / 7));
}
