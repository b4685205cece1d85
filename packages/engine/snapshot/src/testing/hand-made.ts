import { dataView, pageFlags, writePageHeader, writePageId } from "../format.ts";
import { metaPage } from "../meta-page.ts";
import { MemoryFile } from "./memory-file.ts";

/** A page by hand: its kind and what it holds, in order. */
export type HandMadePage =
  | { readonly leaf: readonly (readonly [key: string, value: string | Uint8Array])[]; readonly isRoot?: boolean }
  | { readonly branch: readonly (readonly [key: string, child: number])[] }
  | { readonly free: readonly number[]; readonly count?: number };

/** How a database is put together by hand. */
export interface HandMade {
  /** The pages from page 2 on. */
  readonly pages: readonly HandMadePage[];
  /** The root of the buckets. */
  readonly root: number;
  /** The page that lists the free ones; default: none. */
  readonly freelist?: number;
  /** Default: 4096. */
  readonly pageBytes?: number;
  /** Changes the header of a page: its id, overflow and so on. */
  readonly header?: Readonly<Record<number, Partial<Parameters<typeof writePageHeader>[1]>>>;
}

/** A database made by hand, so that anything about it can be wrong. */
export function handMade({ pages, root, freelist, pageBytes = 4096, header = {} }: HandMade): MemoryFile {
  const bytes = new Uint8Array((pages.length + 2) * pageBytes);
  const highWater = pages.length + 2;
  for (const id of [0, 1] as const) {
    const meta = metaPage(id, { root, highWater, transaction: BigInt(2 - id) }, { pageBytes, freelist });
    bytes.set(meta.subarray(0, 80), id * pageBytes);
  }
  for (const [index, page] of pages.entries()) {
    const id = index + 2;
    const target = bytes.subarray(id * pageBytes, (id + 1) * pageBytes);
    const { flags, count } = fill(target, page);
    writePageHeader(dataView(target), { id, flags, count, overflow: 0, ...header[id] });
  }
  return new MemoryFile(bytes);
}

/** The value of a bucket whose root is a page. */
export function bucketAt(root: number): Uint8Array {
  const value = new Uint8Array(16);
  writePageId(dataView(value), 0, root);
  return value;
}

function fill(target: Uint8Array, page: HandMadePage): { flags: number; count: number } {
  const view = dataView(target);
  if ("free" in page) {
    for (const [index, free] of page.free.entries()) writePageId(view, 16 + index * 8, free);
    return { flags: pageFlags.freelist, count: page.count ?? page.free.length };
  }
  const elements = "leaf" in page ? page.leaf : page.branch;
  let data = 16 + elements.length * 16;
  for (const [index, [key, content]] of elements.entries()) {
    const element = 16 + index * 16;
    const value = typeof content === "number" ? Buffer.alloc(0) : Buffer.from(content);
    const at = "leaf" in page ? element + 4 : element;
    if ("leaf" in page) view.setUint32(element, page.isRoot === true ? 1 : 0, true);
    view.setUint32(at, data - element, true);
    view.setUint32(at + 4, key.length, true);
    if (typeof content === "number") writePageId(view, element + 8, content);
    else view.setUint32(at + 8, value.length, true);
    target.set(Buffer.from(key), data);
    target.set(value, data + key.length);
    data += key.length + value.length;
  }
  return { flags: "leaf" in page ? pageFlags.leaf : pageFlags.branch, count: elements.length };
}
