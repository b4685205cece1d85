import {
  dataView,
  type PageHeader,
  type PageKind,
  pageFlags,
  pageHeaderBytes,
  readPageHeader,
  readPageId,
} from "./format.ts";
import { type Meta, metaEnd, pageSizes, readMeta } from "./meta-page.ts";
import { PageSet } from "./page-set.ts";
import { corruptPage, SnapshotError } from "./snapshot-error.ts";

/** Where a database is read from; a file of the log's file system fits. */
export interface DatabaseSource {
  /** The length in bytes, which does not change. */
  size(): Promise<number>;
  /** Up to `length` bytes from `position`; fewer at the end. They are left to the reader. */
  read(position: number, length: number): Promise<Uint8Array>;
}

/** A page with those that belong to it, or one from inside a value. */
export interface Node {
  /** The page that it begins in. */
  readonly page: number;
  readonly kind: PageKind;
  /** Elements. */
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** Bytes read at a time where there are as many: pages that follow each other in a tree mostly do so in the file. */
const windowBytes = 64 * 1024;
/** A node is not larger: more than any value that fits into a request, and few enough to hold in memory. */
const nodeBytesMax = 512 * 2 ** 20;

interface Window {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** The nodes of a database file. Each page can be read once, so that no damage leads round in a circle. */
export class NodeInput {
  readonly #file: DatabaseSource;
  readonly #used: PageSet;
  /** What the file begins with. */
  readonly meta: Meta;
  #window: Window = { position: 0, bytes: new Uint8Array(0) };

  /**
   * Reads what a file begins with.
   *
   * @throws {@link SnapshotError} `CORRUPT`
   */
  static async open(file: DatabaseSource): Promise<NodeInput> {
    const size = await file.size();
    const meta = await findMeta(file);
    // What a file holds limits what it makes its reader keep in memory.
    if (meta.highWater * meta.pageBytes > size)
      throw new SnapshotError("CORRUPT", `the file ends early: it has ${size} bytes of ${meta.highWater} pages`);
    const input = new NodeInput(file, meta);
    await input.#takeFreePages();
    return input;
  }

  private constructor(file: DatabaseSource, meta: Meta) {
    this.#file = file;
    this.meta = meta;
    this.#used = new PageSet(meta.highWater);
  }

  /** @throws {@link SnapshotError} `CORRUPT` if there is no node that nobody else has read */
  async read(page: number): Promise<Node> {
    const node = await this.#read(page);
    const pages = node.bytes.length / this.meta.pageBytes;
    for (let used = page; used < page + pages; used++) this.#take(used);
    return node;
  }

  async #read(page: number): Promise<Node> {
    const { highWater, pageBytes } = this.meta;
    if (page < 2 || page >= highWater) throw corruptPage(page, `pages have numbers from 2 to ${highWater - 1}`);
    const first = await this.#bytes(page * pageBytes, pageBytes);
    const header = readPageHeader(dataView(first));
    if (header.id !== page) throw corruptPage(page, `it says that it is page ${header.id}`);
    const pages = header.overflow + 1;
    if (page + pages > highWater || pages * pageBytes > nodeBytesMax)
      throw corruptPage(page, `it goes on for ${pages} pages`);
    const bytes = pages === 1 ? first : await this.#bytes(page * pageBytes, pages * pageBytes);
    return { page, kind: kindOf(header, page), count: header.count, bytes };
  }

  /** Notes the pages that are on the stored list of free pages, if there is one, so that no tree can have them. */
  async #takeFreePages(): Promise<void> {
    const { freelist, highWater } = this.meta;
    if (freelist === undefined) return;
    const node = await this.read(freelist);
    if (node.kind !== "freelist") throw corruptPage(freelist, `it is a ${node.kind} page in place of a list`);
    const view = dataView(node.bytes);
    // A count that does not fit into the header stands before the list.
    const isLong = node.count === 0xffff;
    const start = pageHeaderBytes + (isLong ? 8 : 0);
    const count = isLong ? readPageId(view, pageHeaderBytes) : node.count;
    if (start + count * 8 > node.bytes.length) throw corruptPage(freelist, `it cannot hold ${count} numbers`);
    for (let at = start; at < start + count * 8; at += 8) {
      const free = readPageId(view, at);
      if (free < 2 || free >= highWater) throw corruptPage(freelist, `it lists page ${free}`);
      this.#take(free);
    }
  }

  #take(page: number): void {
    if (!this.#used.add(page)) throw corruptPage(page, "it is in use twice");
  }

  async #bytes(position: number, length: number): Promise<Uint8Array> {
    const end = position + length;
    if (position < this.#window.position || end > this.#window.position + this.#window.bytes.length) {
      const fileEnd = this.meta.highWater * this.meta.pageBytes;
      const bytes = await this.#file.read(position, Math.min(Math.max(length, windowBytes), fileEnd - position));
      this.#window = { position, bytes };
    }
    const start = position - this.#window.position;
    const bytes = this.#window.bytes.subarray(start, start + length);
    if (bytes.length < length) throw new SnapshotError("CORRUPT", `the file ends early, at ${position + bytes.length}`);
    return bytes;
  }
}

function kindOf({ flags }: PageHeader, page: number): PageKind {
  for (const kind of ["leaf", "branch", "freelist"] as const) if (flags === pageFlags[kind]) return kind;
  throw corruptPage(page, `its flags are ${flags}`);
}

/** The valid meta page of the newer transaction. */
async function findMeta(file: DatabaseSource): Promise<Meta> {
  const first = readMeta(await file.read(0, metaEnd));
  const second = await findSecondMeta(file, "meta" in first ? first.meta : undefined);
  if (!("meta" in first)) {
    if (second !== undefined) return second;
    throw corruptPage(0, `${first.reason}, and there is no other page to begin with`);
  }
  return second !== undefined && second.transaction > first.meta.transaction ? second : first.meta;
}

/** If the first meta page is damaged, only trying tells where the second one is. */
async function findSecondMeta(file: DatabaseSource, first: Meta | undefined): Promise<Meta | undefined> {
  for (const position of first === undefined ? pageSizes : [first.pageBytes]) {
    const reading = readMeta(await file.read(position, metaEnd));
    if ("meta" in reading && reading.meta.pageBytes === position) return reading.meta;
  }
  return undefined;
}
