import { type Backend, invariant } from "@conclave/base";
import type { ResponseHeader } from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import { notedCompactRevision } from "./compaction-marks.ts";
import type { KeyIndex } from "./key-index.ts";
import { decodeKeyValue } from "./key-value.ts";
import { MvccError } from "./mvcc-error.ts";
import type { PairCache } from "./pair-cache.ts";
import { type Revision, revisionKey } from "./revision.ts";

/** What the parts of the store share: the data and where in history it stands. */
export interface StoreState {
  readonly backend: Backend;
  /** Stored pairs that were read lately. */
  readonly pairs: PairCache;
  /** Replaced as a whole when the content of the backend is. */
  index: KeyIndex;
  /** Revision of the newest transaction; 1 in a fresh store. */
  currentRevision: number;
  /** Below it no revision can be read; -1 before the first compaction. */
  compactRevision: number;
}

/**
 * The stored pair of a live revision.
 *
 * @throws {@link MvccError} `COMPACTED` if it has gone with a replacement of the backend's content
 */
export function readKeyValue(state: StoreState, revision: Revision): KeyValue {
  return decodeKeyValue(readStored(state, revision));
}

/** As {@link readKeyValue}, but the pair's bytes as they are stored. */
export function readStored(state: StoreState, revision: Revision): Uint8Array {
  const bytes = findStored(state, revision);
  if (bytes === undefined) throw new MvccError("COMPACTED");
  return bytes;
}

/** As {@link readStored}, for reads of so much that keeping it would only drive out what is read often. */
export function readStoredOnce(state: StoreState, revision: Revision): Uint8Array {
  const bytes = state.pairs.get(revision) ?? fetchStored(state, revision);
  if (bytes === undefined) throw new MvccError("COMPACTED");
  return bytes;
}

function findStored(state: StoreState, revision: Revision): Uint8Array | undefined {
  const kept = state.pairs.get(revision);
  if (kept !== undefined) return kept;
  const bytes = fetchStored(state, revision);
  if (bytes !== undefined) state.pairs.set(revision, bytes);
  return bytes;
}

/** The backend holds what the index names, unless its content was replaced and the index is not yet reloaded. */
function fetchStored({ backend }: StoreState, { main, sub }: Revision): Uint8Array | undefined {
  const bytes = backend.get("key", revisionKey(main, sub));
  if (bytes !== undefined) return bytes;
  const compactRevision = notedCompactRevision(backend);
  invariant(main < compactRevision, "what the index names is stored or compacted", main, sub, compactRevision);
  return undefined;
}

/** The pair of a key at a revision; undefined if it did not exist then or the revision has been compacted. */
export function valueAt(state: StoreState, key: string, main: number): KeyValue | undefined {
  if (main < state.compactRevision) return undefined;
  const revision = state.index.get(key)?.liveAt(main);
  const bytes = revision && findStored(state, revision);
  return bytes && decodeKeyValue(bytes);
}

/**
 * The revision that a read at `asked` reads; 0 and below mean `current`.
 *
 * @throws {@link MvccError} `FUTURE_REVISION` or `COMPACTED`
 */
export function readableRevision(state: StoreState, asked: number, current: number): number {
  if (asked > current) throw new MvccError("FUTURE_REVISION");
  const main = asked <= 0 ? current : asked;
  if (main < state.compactRevision) throw new MvccError("COMPACTED");
  return main;
}

/** A response header as the store can fill it; the server adds the ids and the term to the outermost one. */
export function revisionHeader(revision: number): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
}
