import type { Backend } from "@conclave/base";
import { KeyIndex } from "./key-index.ts";
import { decodeIndexedPair } from "./key-value.ts";
import { isTombstoneKey, revisionMain, revisionSub } from "./revision.ts";
import type { LeaseAttachments } from "./write-txn.ts";

/** What a backend holds of the history. */
export interface RestoredIndex {
  readonly index: KeyIndex;
  /** The newest revision that it holds; 0 if there is none. */
  readonly newestRevision: number;
}

/** Entries read in one slice, about a millisecond of work. */
const readSlice = 512;
/** Keys visited in one slice. */
const attachSlice = 4_096;

/** Rebuilds the index from the "key" bucket, in slices. */
export function* restoreIndex(backend: Backend): Generator<void, RestoredIndex> {
  const index = new KeyIndex();
  let newestRevision = 0;
  let read = 0;
  for (const [entryKey, pair] of backend.scan("key")) {
    const { key, createRevision, version, lease } = decodeIndexedPair(pair);
    const main = revisionMain(entryKey);
    const sub = revisionSub(entryKey);
    if (isTombstoneKey(entryKey)) index.delete(key, { main, sub });
    // Spelled out, as a spread here would take longer than all the rest together.
    else index.restore(key, { main, sub, createRevision, version }, lease);
    newestRevision = Math.max(newestRevision, main);
    read++;
    if (read % readSlice === 0) yield;
  }
  return { index, newestRevision };
}

/** Attaches every live key to the lease of its newest revision, in slices. */
export function* attachKeys(index: KeyIndex, leases: LeaseAttachments): Generator<void, void> {
  let next: string | undefined = "";
  while (next !== undefined) {
    let seen = 0;
    const start: string = next;
    next = undefined;
    index.scan({ start, end: undefined }, (key, { lease }) => {
      if (seen === attachSlice) {
        next = key;
        return false;
      }
      seen++;
      if (lease !== 0n && leases.exists(lease)) leases.attach(lease, key);
      return true;
    });
    if (next !== undefined) yield;
  }
}
