/** @module Reading a tree from the first key to the last, trusting nothing of it. */
import { binaryString, compareBytes } from "@conclave/base";
import {
  bucketFlag,
  dataView,
  elementBytes,
  pageFlags,
  pageHeaderBytes,
  readPageHeader,
  readPageId,
} from "./format.ts";
import type { Node, NodeInput } from "./node-input.ts";
import { corruptPage } from "./snapshot-error.ts";

/** An entry of a leaf. */
export interface LeafElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Whether the value is a bucket. */
  readonly isBucket: boolean;
}

/** Between which keys those of a node must lie: the first one that may be, and the first one that may not. */
interface KeyBounds {
  readonly start: Uint8Array | undefined;
  readonly end: Uint8Array | undefined;
}

interface Child extends KeyBounds {
  readonly id: number;
}

/** Levels of a tree that is read. One of two children a branch would hold as many entries as there can be pages. */
const depthMax = 40;
const everyKey: KeyBounds = { start: undefined, end: undefined };

/** The entries of a tree in order, leaf by leaf. */
export async function* readTree(input: NodeInput, root: number): AsyncGenerator<Iterable<LeafElement>> {
  /** What is left of the branches on the way to the present leaf, the next child at the end. */
  const path: Child[][] = [[{ id: root, ...everyKey }]];
  for (;;) {
    const child = path.at(-1)?.pop();
    if (child === undefined) {
      path.pop();
      if (path.length === 0) return;
      continue;
    }
    const node = await input.read(child.id);
    if (node.kind === "leaf") yield leafElements(node, child);
    else if (node.kind === "branch" && path.length < depthMax) path.push(childrenOf(node, child).reverse());
    else throw corruptPage(child.id, node.kind === "branch" ? "the tree is too deep" : "it is no part of a tree");
  }
}

/**
 * The entries of a bucket as its parent's leaf has it.
 *
 * @param page - that leaf
 */
export async function* readBucket(
  input: NodeInput,
  value: Uint8Array,
  page: number,
): AsyncGenerator<Iterable<LeafElement>> {
  if (value.length < elementBytes) throw corruptPage(page, `a bucket has ${value.length} bytes`);
  const root = readPageId(dataView(value), 0);
  if (root === 0) yield leafElements(inlineNode(value.subarray(elementBytes), page), everyKey);
  else yield* readTree(input, root);
}

/** The leaf inside the value of a small bucket. */
function inlineNode(bytes: Uint8Array, page: number): Node {
  if (bytes.length < pageHeaderBytes) throw corruptPage(page, "a bucket inside it is cut off");
  const { flags, count } = readPageHeader(dataView(bytes));
  if (flags !== pageFlags.leaf) throw corruptPage(page, `a bucket inside it has the flags ${flags}`);
  return { page, kind: "leaf", count, bytes };
}

function* leafElements(node: Node, bounds: KeyBounds): Generator<LeafElement> {
  const view = dataView(node.bytes);
  const layout = new NodeLayout(node, bounds);
  for (let index = 0; index < node.count; index++) {
    const element = pageHeaderBytes + index * elementBytes;
    const flags = view.getUint32(element, true);
    if (flags > bucketFlag) throw corruptPage(node.page, `entry ${index} has the flags ${flags}`);
    const keyLength = view.getUint32(element + 8, true);
    const valueLength = view.getUint32(element + 12, true);
    const data = layout.take(element + view.getUint32(element + 4, true), keyLength + valueLength);
    const key = data.subarray(0, keyLength);
    layout.checkKey(key);
    yield { key, value: data.subarray(keyLength), isBucket: flags === bucketFlag };
  }
}

function childrenOf(node: Node, bounds: KeyBounds): Child[] {
  const view = dataView(node.bytes);
  const layout = new NodeLayout(node, bounds);
  if (node.count === 0) throw corruptPage(node.page, "it is a branch without children");
  const children: { id: number; key: Uint8Array }[] = [];
  for (let index = 0; index < node.count; index++) {
    const element = pageHeaderBytes + index * elementBytes;
    const position = element + view.getUint32(element, true);
    const key = layout.take(position, view.getUint32(element + 4, true));
    layout.checkKey(key);
    children.push({ id: readPageId(view, element + 8), key });
  }
  return children.map(({ id, key }, index) => ({ id, start: key, end: children[index + 1]?.key ?? bounds.end }));
}

/** Checks the layout of a node: keys ascend, and data lies in order without overlapping, so there is no more than the file has. */
class NodeLayout {
  readonly #node: Node;
  readonly #bounds: KeyBounds;
  /** Where the data of the next element may begin. */
  #end: number;
  #last: Uint8Array | undefined;

  constructor(node: Node, bounds: KeyBounds) {
    this.#node = node;
    this.#bounds = bounds;
    this.#end = pageHeaderBytes + node.count * elementBytes;
    if (this.#end > node.bytes.length) throw corruptPage(node.page, `it cannot hold ${node.count} entries`);
  }

  /** The bytes of an element. */
  take(start: number, length: number): Uint8Array {
    const { bytes, page } = this.#node;
    if (start < this.#end || start + length > bytes.length)
      throw corruptPage(page, `an entry cannot have ${length} bytes at ${start}`);
    this.#end = start + length;
    return bytes.subarray(start, this.#end);
  }

  checkKey(key: Uint8Array): void {
    const { start, end } = this.#bounds;
    const isInOrder =
      this.#last === undefined
        ? start === undefined || compareBytes(start, key) <= 0
        : compareBytes(this.#last, key) < 0;
    if (!isInOrder || (end !== undefined && compareBytes(key, end) >= 0))
      throw corruptPage(this.#node.page, `the key ${shown(key)} is out of order`);
    this.#last = key;
  }
}

const shownBytesMax = 64;

function shown(key: Uint8Array): string {
  const text = JSON.stringify(binaryString(key.subarray(0, shownBytesMax)));
  return key.length > shownBytesMax ? `${text}...` : text;
}
