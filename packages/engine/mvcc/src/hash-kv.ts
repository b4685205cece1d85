/**
 * @module HashKV: a checksum over the history up to a revision that is the same on members of every version,
 * though they delete compacted revisions at different times and disagree about tombstones at the compact
 * revision. What may have been deleted is left out, deleted or not.
 *
 * Each compaction also leaves the checksum of the history as it was before it deleted anything; the last ten
 * answer requests for exactly their revisions.
 */
import { binaryString, crc32c, utf8 } from "@conclave/base";
import { isLiveRevision } from "./key-history.ts";
import { decodeKey } from "./key-value.ts";
import { MvccError } from "./mvcc-error.ts";
import { isTombstoneKey, type Revision, revisionKey, revisionMain, revisionSub } from "./revision.ts";
import type { StoreState } from "./store-state.ts";

/** A checksum of the history. */
export interface KvHash {
  /** CRC-32C, unsigned. */
  readonly hash: number;
  /** The compaction it takes into account; -1 for none. */
  readonly compactRevision: number;
  /** The newest revision it covers. */
  readonly hashRevision: number;
}

/** What a checksum covers. */
export interface KvHashScope {
  /** The newest revision covered. */
  readonly hashRevision: number;
  /** Revisions up to this one may have been deleted already. */
  readonly compactRevision: number;
  /** Of those, the ones that are covered nevertheless. */
  keeps(key: string, revision: Revision): boolean;
  /** Whether `keeps` is false for every revision of the store; then, as in etcd, it is not asked. */
  readonly keepsNothing: boolean;
}

/** Entries hashed in one slice, about two milliseconds of work. */
const hashSlice = 2_048;
/** Checksums of compactions that are kept. */
const compactionHashesMax = 10;

const bucketName = utf8("key");

/** Computes a checksum over the entries of the "key" bucket, given in order. */
export class KvHasher {
  readonly #scope: KvHashScope;
  #crc = crc32c(bucketName);

  constructor(scope: KvHashScope) {
    this.#scope = scope;
  }

  /** Adds an entry if the checksum covers it. */
  add(key: Uint8Array, value: Uint8Array): void {
    if (this.#covers(key, value)) this.#crc = crc32c(value, crc32c(key, this.#crc));
  }

  /** The checksum of what was added. */
  get result(): KvHash {
    const { hashRevision, compactRevision } = this.#scope;
    return { hash: this.#crc, compactRevision, hashRevision };
  }

  #covers(key: Uint8Array, value: Uint8Array): boolean {
    const { hashRevision, compactRevision, keepsNothing } = this.#scope;
    const main = revisionMain(key);
    if (main > hashRevision) return false;
    if (main === compactRevision && isTombstoneKey(key)) return false;
    if (main > compactRevision || keepsNothing) return true;
    return this.#scope.keeps(binaryString(decodeKey(value)), { main, sub: revisionSub(key) });
  }
}

/** The checksums that the last compactions left. */
export class CompactionHashes {
  readonly #hashes: KvHash[] = [];

  /** Remembers one, forgetting the oldest of more than ten. */
  add(hash: KvHash): void {
    this.#hashes.push(hash);
    if (this.#hashes.length > compactionHashesMax) this.#hashes.shift();
  }

  /** Those that are kept, the oldest first. */
  all(): readonly KvHash[] {
    return [...this.#hashes];
  }

  /** The checksum left by the compaction at a revision. */
  at(revision: number): KvHash | undefined {
    return this.#hashes.find((hash) => hash.hashRevision === revision);
  }
}

/**
 * Computes the checksum of the history up to a revision, slice by slice. A compaction meanwhile starts it again.
 *
 * @param revision - 0 for the current one; below it, as in etcd, nothing is covered
 * @throws {@link MvccError} `FUTURE_REVISION`; `COMPACTED`, also between slices
 */
export function* hashKvSlices(
  state: StoreState,
  compactions: CompactionHashes,
  revision: number,
): Generator<undefined, KvHash> {
  const left = compactions.at(revision);
  if (left !== undefined) return left;
  const hashRevision = revision === 0 ? state.currentRevision : revision;
  for (;;) {
    if (hashRevision > state.currentRevision) throw new MvccError("FUTURE_REVISION");
    if (revision > 0 && revision < state.compactRevision) throw new MvccError("COMPACTED");
    const hash = yield* hashUnlessCompacted(state, hashRevision);
    if (hash !== undefined) return hash;
  }
}

function* hashUnlessCompacted(state: StoreState, hashRevision: number): Generator<undefined, KvHash | undefined> {
  const compactRevision = state.compactRevision;
  const hasher = new KvHasher({
    hashRevision,
    compactRevision,
    keeps: (key, revision) => isLiveRevision(state.index.get(key), revision, hashRevision),
    keepsNothing: !state.index.some((history) => history.liveAt(hashRevision) !== undefined),
  });
  const end = revisionKey(Math.max(hashRevision, 0) + 1, 0);
  let start: Uint8Array | undefined = revisionKey(0, 0);
  while (start !== undefined) {
    start = hashSome(state, hasher, start, end);
    if (start !== undefined) yield;
    if (state.compactRevision !== compactRevision) return undefined;
  }
  return hasher.result;
}

/** Hashes one slice; returns where the next starts, or undefined at the end. */
function hashSome(state: StoreState, hasher: KvHasher, start: Uint8Array, end: Uint8Array): Uint8Array | undefined {
  let hashed = 0;
  for (const [key, value] of state.backend.scan("key", { start, end })) {
    if (hashed === hashSlice) return key;
    hasher.add(key, value);
    hashed++;
  }
  return undefined;
}
