/**
 * @module Writes blocks of compressed header fields (HPACK, RFC 7541). Only the few fields that answers repeat are put
 * into the table, so that none is ever evicted, and a block that was written once can be sent again as it is.
 */
import type { OutgoingFields } from "../../transport.ts";
import { DynamicTable, fieldBytes } from "./dynamic-table.ts";
import { staticTable } from "./static-table.ts";

/** What both sides begin with (RFC 9113 §6.5.2). */
export const tableBytesDefault = 4096;

/** Fields with values of which there are few. */
const repeatedNames: ReadonlySet<string> = new Set(["content-type", "grpc-status"]);

/** Blocks that are remembered: those of fields that never change. */
const rememberedMax = 16;

const staticIndexes = new Map(staticTable.map(([name, value], at) => [`${name}\0${value}`, at + 1]));
const staticNames = new Map(staticTable.map(([name], at) => [name, at + 1] as const).reverse());

/** The writing side of one connection. */
export class HpackEncoder {
  readonly #table = new DynamicTable(tableBytesDefault);
  readonly #remembered = new Map<OutgoingFields, Uint8Array>();
  #tellSize = false;

  /** The other side allows another size. A smaller table than the usual one is not worth its while: none is kept. */
  limitTable(bytesMax: number): void {
    if (bytesMax >= this.#table.bytesMax) return;
    this.#table.resize(0);
    this.#remembered.clear();
    this.#tellSize = true;
  }

  /**
   * Writes a block. Blocks must be sent in the order in which they were written.
   *
   * @param fields - values have one character a byte; an object that is used again must not change
   */
  encode(fields: OutgoingFields): Uint8Array {
    const remembered = this.#remembered.get(fields);
    if (remembered !== undefined && !this.#tellSize) return remembered;
    const block = new BlockWriter();
    if (this.#tellSize) block.integer(0x20, 5, 0);
    this.#tellSize = false;
    let isSame = true;
    for (const name in fields) if (!this.#writeField(block, name, String(fields[name]))) isSame = false;
    const bytes = block.finish();
    if (isSame && this.#remembered.size < rememberedMax) this.#remembered.set(fields, bytes);
    return bytes;
  }

  /** @returns whether it would be written in the same way again, and in a few bytes */
  #writeField(block: BlockWriter, name: string, value: string): boolean {
    const index = staticIndexes.get(`${name}\0${value}`) ?? this.#table.indexOf(name, value);
    if (index !== undefined) {
      block.integer(0x80, 7, index);
      return true;
    }
    const isAdded = repeatedNames.has(name) && fieldBytes([name, value]) <= this.#table.roomBytes;
    const nameIndex = staticNames.get(name) ?? 0;
    block.integer(isAdded ? 0x40 : 0, isAdded ? 6 : 4, nameIndex);
    if (nameIndex === 0) block.string(name);
    block.string(value);
    if (isAdded) {
      this.#table.add([name, value]);
      // The indexes of all that was added before have moved.
      this.#remembered.clear();
    }
    return false;
  }
}

/** Collects the bytes of a block. Strings are sent as they are: they are short, and seldom sent twice. */
class BlockWriter {
  #bytes = Buffer.allocUnsafe(128);
  #at = 0;

  /** RFC 7541 §5.1. */
  integer(first: number, prefixBits: number, value: number): void {
    this.#reserve(6);
    const limit = 2 ** prefixBits - 1;
    if (value < limit) {
      this.#bytes[this.#at++] = first | value;
      return;
    }
    this.#bytes[this.#at++] = first | limit;
    let rest = value - limit;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  string(text: string): void {
    this.integer(0, 7, text.length);
    this.#reserve(text.length);
    this.#at += this.#bytes.write(text, this.#at, "latin1");
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + length));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
