/** @module Reads blocks of compressed header fields (HPACK, RFC 7541). */
import { DynamicTable } from "./dynamic-table.ts";
import { decodeHuffman } from "./huffman.ts";
import type { Field } from "./static-table.ts";

/** A block that makes no sense: the tables of both sides differ from here on, and the connection must end. */
export class CompressionError extends Error {
  override readonly name: string = "CompressionError";
}

/** Shifts of a continued integer: what is above 2^28 stands for nothing here. */
const integerShiftMax = 21;

/** The reading side of one connection. */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #tableBytesMax: number;
  #block: Uint8Array = new Uint8Array();
  #at = 0;
  #changes = 0;

  /** @param tableBytesMax - the largest table that was announced */
  constructor(tableBytesMax: number) {
    this.#tableBytesMax = tableBytesMax;
    this.#table = new DynamicTable(tableBytesMax);
  }

  /** Grows with every change of the table: while it stays, the same block means the same. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Reads a whole block.
   *
   * @param block - the bytes of a HEADERS frame and its continuations
   * @param onField - is given each field; values have one character a byte
   * @throws CompressionError
   */
  decode(block: Uint8Array, onField: (field: Field) => void): void {
    this.#block = block;
    this.#at = 0;
    let mayResize = true;
    while (this.#at < block.length) {
      const first = block[this.#at] as number;
      if (first >= 0x20 && first < 0x40) {
        if (!mayResize) throw new CompressionError("A table is resized behind a field");
        this.#resize();
      } else {
        mayResize = false;
        onField(this.#field(first));
      }
    }
  }

  #resize(): void {
    const bytesMax = this.#integer(5);
    if (bytesMax > this.#tableBytesMax) throw new CompressionError(`A table of ${bytesMax} bytes was not allowed`);
    this.#table.resize(bytesMax);
    this.#changes++;
  }

  /** The representations of RFC 7541 §6. */
  #field(first: number): Field {
    if (first >= 0x80) return this.#fieldOf(this.#integer(7));
    const isAdded = first >= 0x40;
    const nameIndex = this.#integer(isAdded ? 6 : 4);
    const name = nameIndex === 0 ? this.#string() : this.#fieldOf(nameIndex)[0];
    const field: Field = [name, this.#string()];
    if (isAdded) {
      this.#table.add(field);
      this.#changes++;
    }
    return field;
  }

  #fieldOf(index: number): Field {
    const field = this.#table.field(index);
    if (field === undefined) throw new CompressionError(`There is no field ${index}`);
    return field;
  }

  #string(): string {
    const isHuffman = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw new CompressionError("A string is longer than its block");
    this.#at = end;
    if (!isHuffman) return latin1(this.#block, start, end);
    const text = decodeHuffman(this.#block, start, end);
    if (text === undefined) throw new CompressionError("A string is not of Huffman's code");
    return text;
  }

  /** An integer whose first byte shares its byte with something else (RFC 7541 §5.1). */
  #integer(prefixBits: number): number {
    const limit = 2 ** prefixBits - 1;
    let value = this.#byte() & limit;
    if (value < limit) return value;
    for (let shift = 0; shift <= integerShiftMax; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new CompressionError("An integer is too large");
  }

  #byte(): number {
    const byte = this.#block[this.#at++];
    if (byte === undefined) throw new CompressionError("A block ends within a field");
    return byte;
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
