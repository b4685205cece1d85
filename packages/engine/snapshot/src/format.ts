/**
 * @module The pages of bbolt, the file format of etcd's database. All numbers are little-endian.
 *
 * ```
 *  page     0         8        10       12         16
 *           | id u64  | flags  | count  | overflow | elements, then their keys and values in order
 *
 *  leaf     | flags u32 | position u32 | key length u32 | value length u32 |   position: from the element to its key
 *  branch   | position u32 | key length u32 | child id u64 |                   key: the first of the child, or below it
 *
 *  bucket   | root id u64 | sequence u64 | with root 0: a whole leaf page |    value of an element flagged as bucket
 * ```
 * A node that is larger than a page goes on in the pages behind it, `overflow` in number.
 */

/** Bytes of a page header. */
export const pageHeaderBytes = 16;
/** Bytes of an element of a leaf, a branch or a bucket's value before its inline page. */
export const elementBytes = 16;
/** Page size of the files that are written: that of Linux on most machines, which etcd takes over. */
export const pageBytes = 4096;
/** Leaf element flag: the value is a bucket. */
export const bucketFlag = 1;
/** The id in place of a stored list of free pages if there is none. */
export const noFreelist = 0xffff_ffff_ffff_ffffn;

/** The flags of the kinds of pages. */
export const pageFlags = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

/** The kind of a page. */
export type PageKind = keyof typeof pageFlags;

/** The header of a page. */
export interface PageHeader {
  /** Position of the page, in pages; 0 for one inside a value. */
  readonly id: number;
  /** One of {@link pageFlags}; anything in a damaged file. */
  readonly flags: number;
  /** Elements. */
  readonly count: number;
  /** Further pages that belong to it. */
  readonly overflow: number;
}

/** A view for reading and writing numbers in some bytes. */
export function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the header at the start of some bytes, of which there are enough. */
export function readPageHeader(view: DataView): PageHeader {
  return {
    id: readPageId(view, 0),
    flags: view.getUint16(8, true),
    count: view.getUint16(10, true),
    overflow: view.getUint32(12, true),
  };
}

/** Writes a header. */
export function writePageHeader(view: DataView, { id, flags, count, overflow }: PageHeader): void {
  writePageId(view, 0, id);
  view.setUint16(8, flags, true);
  view.setUint16(10, count, true);
  view.setUint32(12, overflow, true);
}

/** Reads a page id. One that is too large for a number is no less too large for a file. */
export function readPageId(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** Writes a page id. */
export function writePageId(view: DataView, at: number, id: number): void {
  view.setUint32(at, id % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(id / 2 ** 32), true);
}
