/**
 * @module Compaction: deleting, in the background and in small steps, every revision that no read at or above
 * the compact revision can see. One pass over the "key" bucket up to that revision decides entry by entry with
 * the help of the index, and computes on the way the checksum of what was there before (see hash-kv.ts).
 *
 * Two keys of the "meta" bucket, one written before the pass and one after it, tell after a crash whether it
 * was cut short; then it starts again.
 */
import { type BackendEntry, binaryString } from "@conclave/base";
import { notedCompactRevision, readCompactionMarks, writeCompactionMark } from "./compaction-marks.ts";
import { type CompactionHashes, KvHasher } from "./hash-kv.ts";
import { type KeyHistory, survivesCompaction } from "./key-history.ts";
import { decodeKey } from "./key-value.ts";
import { MvccError } from "./mvcc-error.ts";
import { revisionKey, revisionMain, revisionSub } from "./revision.ts";
import type { StoreState } from "./store-state.ts";

/** The pass under way. */
interface Pass {
  readonly revision: number;
  /** Where the next step begins. */
  next: Uint8Array;
  /** Absent if the pass before this one was cut short: then it has deleted a part of what is to be hashed. */
  readonly hasher: KvHasher | undefined;
}

/** Deletes compacted revisions step by step. */
export class Compaction {
  readonly #state: StoreState;
  readonly #hashes: CompactionHashes;
  #pass: Pass | undefined;
  /** Entries deleted. */
  deleted = 0;

  constructor(state: StoreState, hashes: CompactionHashes) {
    this.#state = state;
    this.#hashes = hashes;
  }

  /** Takes over the compact revision that the store has noted, and forgets the pass under way. */
  restore(): void {
    this.#pass = undefined;
    this.#state.compactRevision = notedCompactRevision(this.#state.backend);
  }

  /** Takes up a pass that was cut short. The index must be whole. */
  resume(): void {
    const { scheduled, finished } = readCompactionMarks(this.#state.backend);
    if (scheduled > finished) this.#begin(scheduled, undefined);
  }

  /**
   * Makes all below a revision unreadable at once and begins a pass that deletes it. It takes the place of a
   * pass that is still under way.
   *
   * @throws {@link MvccError} `COMPACTED` if not above the last one; `FUTURE_REVISION` if above the newest
   */
  schedule(revision: number): void {
    const state = this.#state;
    if (revision <= state.compactRevision) throw new MvccError("COMPACTED");
    if (revision > state.currentRevision) throw new MvccError("FUTURE_REVISION");
    const hasher = this.#pass === undefined ? this.#hasherFor(revision) : undefined;
    state.compactRevision = revision;
    writeCompactionMark(state.backend, "scheduled", revision);
    this.#begin(revision, hasher);
  }

  /**
   * Looks at the next entries.
   *
   * @param limit - most entries
   * @returns whether more work remains
   */
  step(limit: number): boolean {
    const pass = this.#pass;
    if (pass === undefined) return false;
    const { entries, next } = this.#nextEntries(pass, limit);
    for (const [key, value] of entries) this.#compactEntry(pass, key, value);
    if (next === undefined) this.#finish(pass);
    else pass.next = next;
    return next !== undefined;
  }

  #begin(revision: number, hasher: KvHasher | undefined): void {
    this.#pass = { revision, next: revisionKey(0, 0), hasher };
  }

  /** The entries of one step, collected first because the bucket must not change under a scan. */
  #nextEntries(pass: Pass, limit: number): { entries: BackendEntry[]; next: Uint8Array | undefined } {
    const entries: BackendEntry[] = [];
    const end = revisionKey(pass.revision + 1, 0);
    for (const entry of this.#state.backend.scan("key", { start: pass.next, end })) {
      if (entries.length === limit) return { entries, next: entry[0] };
      entries.push(entry);
    }
    return { entries, next: undefined };
  }

  #compactEntry(pass: Pass, revisionKey: Uint8Array, value: Uint8Array): void {
    pass.hasher?.add(revisionKey, value);
    const { index, backend } = this.#state;
    const key = binaryString(decodeKey(value));
    const revision = { main: revisionMain(revisionKey), sub: revisionSub(revisionKey) };
    if (!survivesCompaction(index.get(key), revision, pass.revision)) {
      backend.delete("key", revisionKey);
      this.deleted++;
    }
    index.compact(key, pass.revision);
  }

  #finish(pass: Pass): void {
    writeCompactionMark(this.#state.backend, "finished", pass.revision);
    if (pass.hasher !== undefined) this.#hashes.add(pass.hasher.result);
    this.#pass = undefined;
  }

  /** The checksum of what stands before a pass at `revision`, as the compaction before it left it. */
  #hasherFor(revision: number): KvHasher {
    const { index, compactRevision } = this.#state;
    const remains = (history: KeyHistory) => {
      const newest = history.newestAt(revision);
      return newest !== undefined && survivesCompaction(history, newest, revision);
    };
    return new KvHasher({
      hashRevision: revision,
      compactRevision,
      keeps: (key, kept) => survivesCompaction(index.get(key), kept, revision),
      keepsNothing: !index.some(remains),
    });
  }
}
