/**
 * @module A map from key ranges to values that answers which ranges hold a key: an interval tree, that is, an AVL tree
 * ordered by (start, end) whose nodes know the largest end below them (Cormen et al., "Introduction to Algorithms",
 * chapter 14). Insertion and removal take O(log n); a query takes O(log n) for each range found.
 */
import type { KeyRange } from "./key-range.ts";

interface Node<V> {
  readonly range: KeyRange;
  readonly value: V;
  left: Node<V> | undefined;
  right: Node<V> | undefined;
  height: number;
  /** Largest end in the subtree; undefined stands for "no end" and is above all. */
  maxEnd: string | undefined;
}

/** Orders ends; undefined is above all. */
function isEndBelow(left: string | undefined, right: string | undefined): boolean {
  return left !== undefined && (right === undefined || left < right);
}

function isKeyBelow(key: string, end: string | undefined): boolean {
  return end === undefined || key < end;
}

function compareRanges(left: KeyRange, right: KeyRange): number {
  if (left.start !== right.start) return left.start < right.start ? -1 : 1;
  if (left.end === right.end) return 0;
  return isEndBelow(left.end, right.end) ? -1 : 1;
}

function heightOf<V>(node: Node<V> | undefined): number {
  return node?.height ?? 0;
}

/** Brings height and largest end of a node up to date with its children. */
function refresh<V>(node: Node<V>): Node<V> {
  node.height = Math.max(heightOf(node.left), heightOf(node.right)) + 1;
  let maxEnd = node.range.end;
  if (node.left !== undefined && isEndBelow(maxEnd, node.left.maxEnd)) maxEnd = node.left.maxEnd;
  if (node.right !== undefined && isEndBelow(maxEnd, node.right.maxEnd)) maxEnd = node.right.maxEnd;
  node.maxEnd = maxEnd;
  return node;
}

function rotateRight<V>(node: Node<V>, left: Node<V>): Node<V> {
  node.left = left.right;
  left.right = refresh(node);
  return refresh(left);
}

function rotateLeft<V>(node: Node<V>, right: Node<V>): Node<V> {
  node.right = right.left;
  right.left = refresh(node);
  return refresh(right);
}

/** Makes the heights of both sides of a node differ by one at most; they differ by two at most before. */
function balance<V>(node: Node<V>): Node<V> {
  const { left, right } = node;
  const lean = heightOf(left) - heightOf(right);
  if (lean > 1 && left !== undefined) {
    if (heightOf(left.left) < heightOf(left.right) && left.right !== undefined)
      node.left = rotateLeft(left, left.right);
    return rotateRight(node, node.left ?? left);
  }
  if (lean < -1 && right !== undefined) {
    if (heightOf(right.right) < heightOf(right.left) && right.left !== undefined)
      node.right = rotateRight(right, right.left);
    return rotateLeft(node, node.right ?? right);
  }
  return refresh(node);
}

function insert<V>(node: Node<V> | undefined, added: Node<V>): Node<V> {
  if (node === undefined) return added;
  if (compareRanges(added.range, node.range) < 0) node.left = insert(node.left, added);
  else node.right = insert(node.right, added);
  return balance(node);
}

function remove<V>(node: Node<V> | undefined, range: KeyRange): Node<V> | undefined {
  if (node === undefined) return undefined;
  const order = compareRanges(range, node.range);
  if (order === 0) return join(node.left, node.right);
  if (order < 0) node.left = remove(node.left, range);
  else node.right = remove(node.right, range);
  return balance(node);
}

/** One tree of two whose heights differ by one at most, the left one below the right one. */
function join<V>(left: Node<V> | undefined, right: Node<V> | undefined): Node<V> | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  const first = firstOf(right);
  first.right = removeFirst(right);
  first.left = left;
  return balance(first);
}

function firstOf<V>(node: Node<V>): Node<V> {
  let first = node;
  while (first.left !== undefined) first = first.left;
  return first;
}

function removeFirst<V>(node: Node<V>): Node<V> | undefined {
  if (node.left === undefined) return node.right;
  node.left = removeFirst(node.left);
  return balance(node);
}

function visitHolders<V>(node: Node<V> | undefined, key: string, visit: (value: V) => void): void {
  if (node === undefined || !isKeyBelow(key, node.maxEnd)) return;
  visitHolders(node.left, key, visit);
  if (key < node.range.start) return;
  if (isKeyBelow(key, node.range.end)) visit(node.value);
  visitHolders(node.right, key, visit);
}

/**
 * If a left subtree reaches beyond the key but none of its ranges holds it, one of them starts above the key, and then
 * so do all to the right: one path is enough.
 */
function isHeld<V>(root: Node<V> | undefined, key: string): boolean {
  let node = root;
  while (node !== undefined) {
    if (node.range.start <= key && isKeyBelow(key, node.range.end)) return true;
    const { left } = node;
    node = left !== undefined && isKeyBelow(key, left.maxEnd) ? left : node.right;
  }
  return false;
}

/** Values by range; no two ranges are the same. */
export class IntervalMap<V> {
  #root: Node<V> | undefined;

  /** The value of exactly this range. */
  get(range: KeyRange): V | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const order = compareRanges(range, node.range);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds a range that is not there yet. */
  add(range: KeyRange, value: V): void {
    const added = { range, value, left: undefined, right: undefined, height: 1, maxEnd: range.end };
    this.#root = insert(this.#root, added);
  }

  /** Removes a range; nothing happens if it is not there. */
  delete(range: KeyRange): void {
    this.#root = remove(this.#root, range);
  }

  /** Whether a range holds a key. */
  holds(key: string): boolean {
    return isHeld(this.#root, key);
  }

  /** Visits the values of all ranges that hold a key. The visitor must not change the map. */
  visitHolders(key: string, visit: (value: V) => void): void {
    visitHolders(this.#root, key, visit);
  }
}
