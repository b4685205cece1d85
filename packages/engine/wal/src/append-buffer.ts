const initialBytes = 64 * 1024;
const keptBytesMax = 4 * 1024 * 1024;

/** A byte buffer that grows at its end and is used again and again, with the varints of protobuf. */
export class AppendBuffer {
  #bytes: Uint8Array = new Uint8Array(initialBytes);
  #length = 0;

  /** How many bytes were appended. */
  get length(): number {
    return this.#length;
  }

  /** A view of bytes `[start, end)`, valid until the next call that appends or clears. */
  view(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }

  /** Forgets the content. A buffer that one huge batch has blown up is given back. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > keptBytesMax) this.#bytes = new Uint8Array(initialBytes);
  }

  /** Makes room for so many bytes; the appends below rely on it and do not check. */
  reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  /** Appends one byte. */
  byte(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  /** Appends zero bytes. */
  zeros(count: number): void {
    this.#bytes.fill(0, this.#length, this.#length + count);
    this.#length += count;
  }

  /** Appends bytes. */
  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends a safe integer ≥ 0 as a varint. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80000000) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  /** Appends an unsigned 64-bit integer as a varint. */
  varint64(value: bigint): void {
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  /** Takes out bytes `[start, start + count)`; what follows moves down. */
  cut(start: number, count: number): void {
    this.#bytes.copyWithin(start, start + count, this.#length);
    this.#length -= count;
  }

  /** Overwrites a byte that was appended before. */
  setByte(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** Overwrites bytes that were appended before with a 32-bit number as a varint; returns how many it took. */
  setVarint32(at: number, value: number): number {
    let rest = value;
    let end = at;
    while (rest >= 0x80) {
      this.#bytes[end++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[end++] = rest;
    return end - at;
  }

  /** Overwrites four bytes that were appended before with a number, lowest byte first. */
  setUint32(at: number, value: number): void {
    this.#bytes[at] = value;
    this.#bytes[at + 1] = value >>> 8;
    this.#bytes[at + 2] = value >>> 16;
    this.#bytes[at + 3] = value >>> 24;
  }
}

/** How many bytes a safe integer ≥ 0 takes as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
