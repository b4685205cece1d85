/**
 * @module Revisions, and the keys of the "key" bucket that are made of them:
 *
 * ```
 *  0        8   9        17  18
 *  | main   | _ | sub    | t |      main and sub: u64 big-endian; the final "t" only for a tombstone
 * ```
 */
import { invariant } from "@conclave/base";

/** A point in the store's history: the `sub`-th change of the transaction that made revision `main`. */
export interface Revision {
  /** Number of the transaction; the first write of a fresh store makes 2. */
  readonly main: number;
  /** Position of the change in its transaction, from 0. */
  readonly sub: number;
}

/** Bytes of a revision key without the tombstone mark. */
export const revisionKeyBytes = 17;

const tombstoneKeyBytes = 18;
const separator = 0x5f; // "_"
const tombstoneMark = 0x74; // "t"
const two32 = 0x1_0000_0000;

/** Writes a revision key at the start of `target`, which has room for it (17 bytes, 18 for a tombstone). */
export function writeRevisionKey(target: Uint8Array, revision: Revision): void {
  writeUint64(target, 0, revision.main);
  target[8] = separator;
  writeUint64(target, 9, revision.sub);
  if (target.length === tombstoneKeyBytes) target[revisionKeyBytes] = tombstoneMark;
}

/** The revision key of a value. */
export function revisionKey(main: number, sub: number): Uint8Array {
  const key = new Uint8Array(revisionKeyBytes);
  writeRevisionKey(key, { main, sub });
  return key;
}

/** Whether a key of the "key" bucket marks a deletion. */
export function isTombstoneKey(key: Uint8Array): boolean {
  return key.length === tombstoneKeyBytes;
}

/** The `main` of a revision key. */
export function revisionMain(key: Uint8Array): number {
  invariant(
    key.length === revisionKeyBytes || key.length === tombstoneKeyBytes,
    "a revision key has 17 or 18 bytes",
    key.length,
  );
  return readUint64(key, 0);
}

/** The `sub` of a revision key. */
export function revisionSub(key: Uint8Array): number {
  return readUint64(key, 9);
}

function writeUint64(target: Uint8Array, at: number, value: number): void {
  writeUint32(target, at, Math.floor(value / two32));
  writeUint32(target, at + 4, value >>> 0);
}

function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

function readUint64(source: Uint8Array, at: number): number {
  const value = readUint32(source, at) * two32 + readUint32(source, at + 4);
  invariant(Number.isSafeInteger(value), "a revision is a safe integer", value);
  return value;
}

/** The callers have checked the length; `as number` silences only the index signature. */
function readUint32(source: Uint8Array, at: number): number {
  const high = (source[at] as number) * 0x100_0000;
  return high + (((source[at + 1] as number) << 16) | ((source[at + 2] as number) << 8) | (source[at + 3] as number));
}
