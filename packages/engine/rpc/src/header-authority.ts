/**
 * @module The authority in a block of compressed header fields (HPACK, RFC 7541), found without decompressing.
 *
 * Clients of etcd 3.4 that were given a URL put it where HTTP/2 wants a host and a port: `http://host:2379`. Go's
 * servers take it; nghttp2 resets the stream, for a slash is no part of an authority (RFC 3986 §3.2). No call depends
 * on what the authority says, so its slashes become dashes: these take as many bits in the code of HPACK and as many
 * bytes out of it, so the tables of both sides stay the same.
 */

/** Where a field's value lies in a block. */
interface Value {
  readonly start: number;
  readonly end: number;
  readonly huffman: boolean;
}

/** Indexes of the static table that stand for `:authority`: RFC 7541 appendix A has it once, without a value. */
const authorityIndex = 1;
/** `http://` and `https://` in Huffman's code up to their slashes, and the bit at which the first slash begins. */
const huffmanSchemes = [
  { bits: "10011101001010011010111011100", slashAt: 29 },
  { bits: "1001110100101001101011010001011100", slashAt: 34 },
];
const slash = "011000";
const dash = "010110";

/**
 * Replaces the slashes of a URL that stands for the authority, in place.
 *
 * @param block - a block of header fields, or its beginning
 * @returns whether there was such a URL
 */
export function mendAuthority(block: Uint8Array): boolean {
  const value = findAuthority(block);
  if (value === undefined) return false;
  return value.huffman ? mendHuffman(block, value) : mendPlain(block, value);
}

function mendPlain(block: Uint8Array, { start, end }: Value): boolean {
  const text = Buffer.from(block.buffer, block.byteOffset + start, end - start);
  const scheme = /^https?:\/\//.exec(text.toString("latin1"))?.[0];
  if (scheme === undefined) return false;
  text.write(scheme.replaceAll("/", "-"), "latin1");
  return true;
}

function mendHuffman(block: Uint8Array, { start, end }: Value): boolean {
  const headBytes = 6; // Holds the longer scheme and its slashes.
  const head = block.subarray(start, Math.min(end, start + headBytes));
  const bits = [...head].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const scheme = huffmanSchemes.find((each) => bits.startsWith(each.bits + slash + slash));
  if (scheme === undefined) return false;
  const mended = scheme.bits + dash + dash + bits.slice(scheme.slashAt + slash.length + slash.length);
  for (const at of head.keys()) head[at] = Number.parseInt(mended.slice(8 * at, 8 * at + 8), 2);
  return true;
}

/** The value of `:authority`, if the block spells it out; one that points into a table was spelt out before. */
function findAuthority(block: Uint8Array): Value | undefined {
  const reader = new BlockReader(block);
  while (!reader.atEnd) {
    const field = reader.field();
    if (field === undefined) return undefined;
    if (field.nameIndex === authorityIndex) return field.value;
  }
  return undefined;
}

class BlockReader {
  readonly #block: Uint8Array;
  #at = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get atEnd(): boolean {
    return this.#at >= this.#block.length;
  }

  /** The next field; one that needs no value has none. Undefined if the block ends within it. */
  field(): { readonly nameIndex: number; readonly value: Value | undefined } | undefined {
    const first = this.#block[this.#at] ?? 0;
    // An indexed field, or a new size of the table: one integer (RFC 7541 §6.1, §6.3).
    if (first >= 0x80) return this.#bare(7);
    if (first >= 0x20 && first < 0x40) return this.#bare(5);
    const nameIndex = this.#integer(first >= 0x40 ? 6 : 4);
    if (nameIndex === undefined) return undefined;
    if (nameIndex === 0 && this.#string() === undefined) return undefined;
    const value = this.#string();
    return value === undefined ? undefined : { nameIndex, value };
  }

  #bare(prefixBits: number): { readonly nameIndex: number; readonly value: undefined } | undefined {
    return this.#integer(prefixBits) === undefined ? undefined : { nameIndex: 0, value: undefined };
  }

  #string(): Value | undefined {
    const huffman = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    if (length === undefined || this.#at + length > this.#block.length) return undefined;
    const start = this.#at;
    this.#at += length;
    return { start, end: this.#at, huffman };
  }

  /** RFC 7541 §5.1; more than a frame could hold counts as an end. */
  #integer(prefixBits: number): number | undefined {
    const limit = 2 ** prefixBits - 1;
    let value = (this.#block[this.#at++] ?? 0) & limit;
    if (value < limit) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#block[this.#at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  }
}
