/**
 * @module A map ordered by its keys: a B+ tree over binary strings. Against a `Map` with a sorted copy it
 * inserts in the middle in logarithmic time and never rehashes, so there is no pause at a million keys.
 *
 * Nodes are split when full and dropped when empty, never merged in between ("free at empty", Johnson and
 * Shasha 1989: with about as many insertions as deletions this keeps nodes nearly as full as merging does).
 * A split at the right end of a node leaves the left one full, so ascending keys pack densely.
 */

/** Most keys of a leaf and most children of a branch. */
const maxEntries = 64;

class Leaf<V> {
  readonly keys: string[];
  readonly values: V[];

  constructor(keys: string[], values: V[]) {
    this.keys = keys;
    this.values = values;
  }
}

/** `separators[i]` is above every key of `children[i]` and not above any key of `children[i + 1]`. */
class Branch<V> {
  readonly separators: string[];
  readonly children: Node<V>[];

  constructor(separators: string[], children: Node<V>[]) {
    this.separators = separators;
    this.children = children;
  }
}

type Node<V> = Leaf<V> | Branch<V>;

interface Step<V> {
  readonly branch: Branch<V>;
  readonly at: number;
}

interface Split<V> {
  readonly separator: string;
  readonly right: Node<V>;
}

/** Called for each entry of a scan in order; `false` ends the scan. */
export type Visitor<V> = (key: string, value: V) => boolean;

/** An ordered map from binary strings to values. */
export class OrderedMap<V> {
  #root: Node<V> = new Leaf<V>([], []);
  #size = 0;

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** The value of a key. */
  get(key: string): V | undefined {
    const leaf = this.#leafOf(key);
    const at = lowerBound(leaf.keys, key);
    return leaf.keys[at] === key ? leaf.values[at] : undefined;
  }

  /** Sets the value of a key, new or not. */
  set(key: string, value: V): void {
    const leaf = this.#leafOf(key);
    const at = lowerBound(leaf.keys, key);
    if (leaf.keys[at] === key) leaf.values[at] = value;
    else this.#insert(leaf, at, key, value);
  }

  /** The value of a key; if there is none, the one made by `create`, which is set. */
  getOrInsert(key: string, create: () => V): V {
    const leaf = this.#leafOf(key);
    const at = lowerBound(leaf.keys, key);
    if (leaf.keys[at] === key) return leaf.values[at] as V;
    const value = create();
    this.#insert(leaf, at, key, value);
    return value;
  }

  /** Removes a key; does nothing if it is not there. */
  delete(key: string): void {
    this.#remove(this.#root, key);
    while (this.#root instanceof Branch && this.#root.children.length === 1) this.#root = childAt(this.#root, 0);
    if (this.#root instanceof Branch && this.#root.children.length === 0) this.#root = new Leaf<V>([], []);
  }

  /**
   * Visits the entries with `start <= key < end` in order. The visitor must not add or remove keys.
   *
   * @param end - undefined for no upper bound
   */
  scan(start: string, end: string | undefined, visit: Visitor<V>): void {
    visitNode(this.#root, start, end, visit);
  }

  /** The leaf that holds a key or would. */
  #leafOf(key: string): Leaf<V> {
    let node = this.#root;
    while (node instanceof Branch) node = childAt(node, childIndex(node, key));
    return node;
  }

  #insert(leaf: Leaf<V>, at: number, key: string, value: V): void {
    this.#size++;
    insertAt(leaf.keys, at, key);
    insertAt(leaf.values, at, value);
    if (leaf.keys.length > maxEntries) this.#hang(splitLeaf(leaf, at), this.#pathTo(key));
  }

  /** The way to the leaf of a key. Few insertions need it, so it is not noted on the way down. */
  #pathTo(key: string): Step<V>[] {
    const path: Step<V>[] = [];
    let node = this.#root;
    while (node instanceof Branch) {
      const at = childIndex(node, key);
      path.push({ branch: node, at });
      node = childAt(node, at);
    }
    return path;
  }

  /** Hangs the right half of a split leaf into the branch above, and splits what overflows on the way up. */
  #hang(leafSplit: Split<V>, path: Step<V>[]): void {
    let split: Split<V> | undefined = leafSplit;
    while (split !== undefined) {
      const step = path.pop();
      if (step === undefined) {
        this.#root = new Branch([split.separator], [this.#root, split.right]);
        return;
      }
      const { branch, at } = step;
      insertAt(branch.separators, at, split.separator);
      insertAt(branch.children, at + 1, split.right);
      split = branch.children.length > maxEntries ? splitBranch(branch, at) : undefined;
    }
  }

  /** Removes the key below a node; says whether the node is now empty. */
  #remove(node: Node<V>, key: string): boolean {
    if (node instanceof Leaf) {
      const at = lowerBound(node.keys, key);
      if (node.keys[at] === key) {
        this.#size--;
        node.keys.splice(at, 1);
        node.values.splice(at, 1);
      }
      return node.keys.length === 0;
    }
    const at = childIndex(node, key);
    if (this.#remove(childAt(node, at), key)) {
      node.children.splice(at, 1);
      node.separators.splice(Math.max(at - 1, 0), 1);
    }
    return node.children.length === 0;
  }
}

/** What `splice` does, without the array that it returns: twice as fast on arrays as short as a node's. */
function insertAt<T>(items: T[], at: number, item: T): void {
  items.push(item);
  for (let index = items.length - 1; index > at; index--) items[index] = items[index - 1] as T;
  items[at] = item;
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the child that would hold a key. */
function childIndex<V>(branch: Branch<V>, key: string): number {
  const at = lowerBound(branch.separators, key);
  return branch.separators[at] === key ? at + 1 : at;
}

function childAt<V>(branch: Branch<V>, at: number): Node<V> {
  return branch.children[at] as Node<V>;
}

/** Where to cut an overfull node: in the middle, or before the last entry when that was just appended. */
function cutOf(length: number, insertedAt: number): number {
  return insertedAt === length - 1 ? length - 1 : length >>> 1;
}

function splitLeaf<V>(leaf: Leaf<V>, insertedAt: number): Split<V> {
  const cut = cutOf(leaf.keys.length, insertedAt);
  const right = new Leaf(leaf.keys.splice(cut), leaf.values.splice(cut));
  return { separator: right.keys[0] as string, right };
}

function splitBranch<V>(branch: Branch<V>, insertedAt: number): Split<V> {
  const cut = cutOf(branch.children.length, insertedAt + 1);
  const children = branch.children.splice(cut);
  const separators = branch.separators.splice(cut - 1);
  const separator = separators.shift() as string;
  return { separator, right: new Branch(separators, children) };
}

/** Visits below a node; says whether the scan goes on. */
function visitNode<V>(node: Node<V>, start: string, end: string | undefined, visit: Visitor<V>): boolean {
  if (node instanceof Branch) {
    const first = childIndex(node, start);
    for (let at = first; at < node.children.length; at++)
      if (!visitNode(childAt(node, at), at === first ? start : "", end, visit)) return false;
    return true;
  }
  for (let at = start === "" ? 0 : lowerBound(node.keys, start); at < node.keys.length; at++) {
    const key = node.keys[at] as string;
    if (end !== undefined && key >= end) return false;
    if (!visit(key, node.values[at] as V)) return false;
  }
  return true;
}
