/**
 * @module The two pages at the start of a database, of which the valid one with the higher transaction id counts.
 *
 * ```
 *  16       20        24          28      32     40         48         56           64     72
 *  | magic  | version | page size | flags | root | sequence | freelist | high water | txid | checksum |
 * ```
 */
import { dataView, noFreelist, pageBytes, pageFlags, pageHeaderBytes, readPageId, writePageHeader } from "./format.ts";

const magic = 0xed0cdaed;
const version = 2;
/** Bytes of a page header and the meta behind it. */
export const metaEnd = 80;
const checksumAt = 72;

/** What a meta page says. */
export interface Meta {
  /** Bytes of a page. */
  readonly pageBytes: number;
  /** Root of the tree of buckets. */
  readonly root: number;
  /** The stored list of free pages; undefined if there is none. */
  readonly freelist: number | undefined;
  /** Number of pages in use or free: the first page behind them. */
  readonly highWater: number;
  /** Number of the transaction that wrote it. */
  readonly transaction: bigint;
}

/** The reason why some bytes are no meta page, or what it says. */
export type MetaReading = { readonly meta: Meta } | { readonly reason: string };

/** Reads the first bytes of a page as a meta page. */
export function readMeta(bytes: Uint8Array): MetaReading {
  if (bytes.length < metaEnd) return { reason: "the file is too short" };
  const view = dataView(bytes);
  if (view.getUint32(16, true) !== magic) return { reason: "it has no magic number" };
  if (view.getUint32(20, true) !== version) return { reason: `the version is ${view.getUint32(20, true)}` };
  if (view.getBigUint64(checksumAt, true) !== fnv1a(bytes.subarray(pageHeaderBytes, checksumAt)))
    return { reason: "the checksum is wrong" };
  const freelist = view.getBigUint64(48, true) === noFreelist ? undefined : readPageId(view, 48);
  const meta = {
    pageBytes: view.getUint32(24, true),
    root: readPageId(view, 32),
    freelist,
    highWater: readPageId(view, 56),
    transaction: view.getBigUint64(64, true),
  };
  return isPageSize(meta.pageBytes) ? { meta } : { reason: `the page size is ${meta.pageBytes}` };
}

/** Sizes that a page may have. */
export const pageSizes: readonly number[] = Array.from({ length: 15 }, (_, power) => 1024 << power);

function isPageSize(bytes: number): boolean {
  return pageSizes.includes(bytes);
}

/** What differs from file to file in those that are written. */
export type WrittenMeta = Pick<Meta, "root" | "highWater" | "transaction">;

/**
 * A whole meta page, for position 0 or 1.
 *
 * @param layout - of a file that is laid out in another way; default: pages of 4096 bytes, no list of free ones
 */
export function metaPage(
  id: 0 | 1,
  { root, highWater, transaction }: WrittenMeta,
  layout: Pick<Meta, "pageBytes" | "freelist"> = { pageBytes, freelist: undefined },
): Uint8Array {
  const page = new Uint8Array(layout.pageBytes);
  const view = dataView(page);
  writePageHeader(view, { id, flags: pageFlags.meta, count: 0, overflow: 0 });
  view.setUint32(16, magic, true);
  view.setUint32(20, version, true);
  view.setUint32(24, layout.pageBytes, true);
  view.setBigUint64(32, BigInt(root), true);
  view.setBigUint64(48, layout.freelist === undefined ? noFreelist : BigInt(layout.freelist), true);
  view.setBigUint64(56, BigInt(highWater), true);
  view.setBigUint64(64, transaction, true);
  view.setBigUint64(checksumAt, fnv1a(page.subarray(pageHeaderBytes, checksumAt)), true);
  return page;
}

/** FNV-1a with 64 bits. */
function fnv1a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
