/**
 * @module The Huffman code of HPACK (RFC 7541 §5.2 and appendix B). The code is canonical: the lengths tell all of it,
 * as codes of one length follow each other in the order of their symbols. Bytes are decoded four bits at a time, by a
 * table of where each node of the code's tree leads.
 */

/** Bits of the code of each byte, and of the end of a string, which is never sent. */
const codeBits: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const endOfString = 256;
/** No string may end in a code that is filled up with more bits than this. */
const paddingBitsMax = 7;
/** The longest code; it takes four bytes at most. */
const codeBitsMax = 30;

/** The codes of all symbols, by symbol. */
const codes = canonicalCodes();

function canonicalCodes(): Uint32Array {
  const found = new Uint32Array(codeBits.length);
  let next = 0;
  for (let bits = 1; bits <= codeBitsMax; bits++) {
    next <<= 1;
    for (const [symbol, length] of codeBits.entries()) if (length === bits) found[symbol] = next++;
  }
  return found;
}

/** What four bits lead to: the next node, with a symbol that they complete. */
const emits = 0x100_00;
const fails = 0x200_00;
const symbolShift = 8;
const nodeMask = 0xff;

interface Tables {
  /** By node and four bits: the next node, a symbol, {@link emits} and {@link fails}. */
  readonly steps: Uint32Array;
  /** Whether a string may end at a node: what is left there is padding. */
  readonly mayEnd: Uint8Array;
}

const tables = buildTables();

/** A node's children: another node as it is, a symbol as its complement. */
type Node = [zero: number | undefined, one: number | undefined];

function buildTree(): readonly Node[] {
  const nodes: Node[] = [[undefined, undefined]];
  for (const [symbol, length] of codeBits.entries()) {
    const code = codes[symbol] ?? 0;
    let at = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const node = nodes[at] as Node;
      const side = (code >>> bit) & 1;
      node[side] ??= nodes.push([undefined, undefined]) - 1;
      at = node[side] as number;
    }
    (nodes[at] as Node)[code & 1] = ~symbol;
  }
  return nodes;
}

function buildTables(): Tables {
  const nodes = buildTree();
  const steps = new Uint32Array(nodes.length * 16);
  for (const at of nodes.keys()) for (let four = 0; four < 16; four++) steps[at * 16 + four] = stepOf(nodes, at, four);
  const mayEnd = new Uint8Array(nodes.length);
  let padding = 0;
  for (let bits = 0; bits <= paddingBitsMax; bits++) {
    mayEnd[padding] = 1;
    padding = nodes[padding]?.[1] ?? 0;
  }
  return { steps, mayEnd };
}

function stepOf(nodes: readonly Node[], from: number, four: number): number {
  let at = from;
  let step = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = nodes[at]?.[(four >>> bit) & 1] as number;
    if (child >= 0) at = child;
    else if (~child === endOfString) return fails;
    else {
      // The shortest code has five bits, so four complete one at most.
      step = emits | (~child << symbolShift);
      at = 0;
    }
  }
  return step | at;
}

/**
 * Decodes a string.
 *
 * @returns the bytes, one a character; undefined if they are no code, or end in more than padding
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  const { steps, mayEnd } = tables;
  // Five bits make a byte at least.
  const decoded = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / 5));
  let length = 0;
  let node = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    for (const four of [byte >>> 4, byte & 15]) {
      const step = steps[node * 16 + four] as number;
      if ((step & fails) !== 0) return undefined;
      if ((step & emits) !== 0) decoded[length++] = (step >>> symbolShift) & 0xff;
      node = step & nodeMask;
    }
  }
  return mayEnd[node] === 1 ? decoded.toString("latin1", 0, length) : undefined;
}
