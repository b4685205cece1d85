/** Thrown for bytes that are not the message they should be. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
}

const twoTo32 = 2 ** 32;

/** Reads the tags and values of a protobuf message and never leaves its bounds. */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether all was read. */
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  /** A varint that is a safe integer: a tag, a length, a term, an index. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new MalformedError("a number is above 2^53");
        return value;
      }
      scale *= 0x80;
    }
    throw new MalformedError("a varint is longer than 10 bytes");
  }

  /** A varint of 64 bits: an id. Put together from halves, as a BigInt for each byte would take ten times as long. */
  varint64(): bigint {
    let low = 0;
    let high = 0;
    for (let count = 0; count < 10; count++) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (count < 4) low += bits * 2 ** (7 * count);
      else if (count === 4) {
        low += (bits & 0x0f) * 2 ** 28;
        high = bits >>> 4;
      } else high += bits * 2 ** (7 * count - 32);
      if (byte >= 0x80) continue;
      if (high >= twoTo32) break;
      return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
    }
    throw new MalformedError("an id has more than 64 bits");
  }

  /** A field of bytes, as a view. */
  bytes(): Uint8Array {
    const length = this.varint();
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new MalformedError("a field runs past the end of its message");
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  /** Passes over the value of a field that is not known. */
  skip(tag: number): void {
    if (tag < 8 || tag >= twoTo32) throw new MalformedError(`${tag} is no tag`);
    const wireType = tag & 7;
    if (wireType === 0) this.#skipVarint();
    else if (wireType === 1) this.#skipBytes(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#skipBytes(4);
    else throw new MalformedError(`a field has the wire type ${wireType}`);
  }

  #skipVarint(): void {
    for (let count = 0; count < 10; count++) if (this.#byte() < 0x80) return;
    throw new MalformedError("a varint is longer than 10 bytes");
  }

  #skipBytes(count: number): void {
    if (count > this.#bytes.length - this.#at) throw new MalformedError("a field runs past the end of its message");
    this.#at += count;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new MalformedError("the message is cut short");
    return byte;
  }
}
