/**
 * @module Writing a tree whose keys come in order: leaves as they fill up, branches as they do, so that no more is held
 * in memory than one page of each level.
 */
import { invariant } from "@conclave/base";
import {
  bucketFlag,
  dataView,
  elementBytes,
  pageBytes,
  pageFlags,
  pageHeaderBytes,
  writePageHeader,
  writePageId,
} from "./format.ts";
import type { PageOutput } from "./page-output.ts";

/** What the values of a tree are. */
export type TreeContent = "values" | "buckets";

/** Bytes up to which a bucket is stored in its parent's leaf. */
const inlineBytesMax = pageBytes / 4;

interface LeafItem {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface Child {
  /** Its first key. */
  readonly key: Uint8Array;
  readonly id: number;
}

/** A tree under construction. */
export class TreeWriter {
  readonly #output: PageOutput;
  readonly #elementFlags: number;
  #items: LeafItem[] = [];
  #leafBytes = pageHeaderBytes;
  /** From the lowest level up; empty until the first leaf is written. */
  readonly #levels: BranchLevel[] = [];

  constructor(output: PageOutput, content: TreeContent) {
    this.#output = output;
    this.#elementFlags = content === "buckets" ? bucketFlag : 0;
  }

  /** Adds an entry whose key is above all before it. */
  add(key: Uint8Array, value: Uint8Array): void {
    const bytes = elementBytes + key.length + value.length;
    if (this.#items.length > 0 && this.#leafBytes + bytes > pageBytes) this.#writeLeaf();
    this.#items.push({ key, value });
    this.#leafBytes += bytes;
  }

  /** Ends the tree; returns the id of its root. */
  finish(): number {
    if (this.#levels.length === 0) return this.#writeItems().id;
    if (this.#items.length > 0) this.#writeLeaf();
    for (let level = 0; ; level++) {
      const only = this.#levels[level]?.onlyChild;
      if (only !== undefined) return only.id;
      this.#writeBranch(level);
    }
  }

  /** Ends the tree; returns what its parent keeps of it: where its root is, or if it is small all of it. */
  finishBucket(): Uint8Array {
    if (this.#levels.length === 0 && this.#leafBytes <= inlineBytesMax) {
      const value = new Uint8Array(elementBytes + this.#leafBytes);
      fillLeaf(value.subarray(elementBytes), 0, this.#items, this.#elementFlags);
      return value;
    }
    const value = new Uint8Array(elementBytes);
    writePageId(dataView(value), 0, this.finish());
    return value;
  }

  #writeLeaf(): void {
    this.#addChild(0, this.#writeItems());
    this.#items = [];
    this.#leafBytes = pageHeaderBytes;
  }

  #writeItems(): Child {
    const { id, page } = this.#output.allocate(this.#leafBytes);
    fillLeaf(page, id, this.#items, this.#elementFlags);
    return { key: this.#items[0]?.key ?? new Uint8Array(0), id };
  }

  #addChild(at: number, child: Child): void {
    const level = this.#levels[at] ?? new BranchLevel();
    this.#levels[at] = level;
    if (level.isFullFor(child)) this.#addChild(at + 1, level.writeAllButLast(this.#output));
    level.add(child);
  }

  #writeBranch(at: number): void {
    const level = this.#levels[at];
    invariant(level !== undefined, "a level is finished once it has children", at);
    this.#addChild(at + 1, level.writeAll(this.#output));
  }
}

/** The branch under construction on one level of a tree. All that are written have at least two children. */
class BranchLevel {
  #children: Child[] = [];
  #bytes = pageHeaderBytes;
  #hasWritten = false;

  /** Whether a child must go into another branch. Keys so long that not three fit make a branch of several pages. */
  isFullFor({ key }: Child): boolean {
    return this.#children.length > 2 && this.#bytes + elementBytes + key.length > pageBytes;
  }

  add(child: Child): void {
    this.#children.push(child);
    this.#bytes += elementBytes + child.key.length;
  }

  /** The child of a level that has no other: the root of the tree. */
  get onlyChild(): Child | undefined {
    return this.#children.length === 1 && !this.#hasWritten ? this.#children[0] : undefined;
  }

  /** Writes a branch and keeps its last child back, so that the next one will have two as well. */
  writeAllButLast(output: PageOutput): Child {
    const last = this.#children.pop();
    invariant(last !== undefined, "a full branch has children");
    this.#bytes -= elementBytes + last.key.length;
    const written = this.writeAll(output);
    this.add(last);
    return written;
  }

  writeAll(output: PageOutput): Child {
    const [first] = this.#children;
    invariant(first !== undefined && this.#children.length > 1, "a branch has two children", this.#children.length);
    const { id, page } = output.allocate(this.#bytes);
    fillBranch(page, id, this.#children);
    this.#children = [];
    this.#bytes = pageHeaderBytes;
    this.#hasWritten = true;
    return { key: first.key, id };
  }
}

function fillLeaf(page: Uint8Array, id: number, items: readonly LeafItem[], elementFlags: number): void {
  const view = dataView(page);
  writePageHeader(view, { id, flags: pageFlags.leaf, count: items.length, overflow: overflowOf(page) });
  let element = pageHeaderBytes;
  let data = pageHeaderBytes + items.length * elementBytes;
  for (const { key, value } of items) {
    view.setUint32(element, elementFlags, true);
    view.setUint32(element + 4, data - element, true);
    view.setUint32(element + 8, key.length, true);
    view.setUint32(element + 12, value.length, true);
    page.set(key, data);
    page.set(value, data + key.length);
    element += elementBytes;
    data += key.length + value.length;
  }
}

function fillBranch(page: Uint8Array, id: number, children: readonly Child[]): void {
  const view = dataView(page);
  writePageHeader(view, { id, flags: pageFlags.branch, count: children.length, overflow: overflowOf(page) });
  let element = pageHeaderBytes;
  let data = pageHeaderBytes + children.length * elementBytes;
  for (const child of children) {
    view.setUint32(element, data - element, true);
    view.setUint32(element + 4, child.key.length, true);
    writePageId(view, element + 8, child.id);
    page.set(child.key, data);
    element += elementBytes;
    data += child.key.length;
  }
}

/** Pages behind the first; a page inside a value is shorter than one. */
function overflowOf(page: Uint8Array): number {
  return Math.max(0, page.length / pageBytes - 1);
}
