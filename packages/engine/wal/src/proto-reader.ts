/** Thrown for bytes that are not the message they should be. It never leaves the package. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
}

/** Reads the tags and values of a protobuf message, within its bounds. */
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
        if (!Number.isSafeInteger(value)) throw new MalformedError("number above 2^53");
        return value;
      }
      scale *= 0x80;
    }
    throw new MalformedError("varint longer than 10 bytes");
  }

  /** A varint of 64 bits: an id. */
  varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80 && value <= 0xffff_ffff_ffff_ffffn) return value;
    }
    throw new MalformedError("varint above 64 bits");
  }

  /** A field of bytes, as a view. */
  bytes(): Uint8Array {
    const length = this.varint();
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new MalformedError("field runs past the end");
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new MalformedError("message cut short");
    return byte;
  }
}
