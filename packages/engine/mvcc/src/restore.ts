import { binaryString } from "@conclave/base";
import { decodeKeyValue } from "./key-value.ts";
import { isTombstoneKey, revisionMain, revisionSub } from "./revision.ts";
import type { StoreState } from "./store-state.ts";
import type { LeaseAttachments } from "./write-txn.ts";

/** Rebuilds the index from the "key" bucket and attaches every live key to the lease of its newest revision. */
export function restoreIndex(state: StoreState, leases: LeaseAttachments): void {
  for (const [entryKey, pair] of state.backend.scan("key")) {
    const { key, createRevision, version, lease } = decodeKeyValue(pair);
    const main = revisionMain(entryKey);
    const sub = revisionSub(entryKey);
    if (isTombstoneKey(entryKey)) state.index.delete(binaryString(key), { main, sub });
    // Spelled out, as a spread here would take longer than all the rest together.
    else state.index.restore(binaryString(key), { main, sub, createRevision, version }, lease);
    state.currentRevision = Math.max(state.currentRevision, main);
  }
  state.index.forEach((key, { lease }) => {
    if (lease !== 0n && leases.exists(lease)) leases.attach(lease, key);
  });
}
