/**
 * @module What the index knows of one key: every retained revision, oldest first. A tombstone closes a
 * *generation*; the next put opens another, whose version starts at 1 again:
 *
 * ```
 *   put 2   put 5   delete 7  |  put 9   delete 12  |  put 20
 *   v1      v2      v0        |  v1      v0         |  v1        create 2 2 – | 9 – | 20
 * ```
 *
 * A million keys mostly have one revision each, so the newest one lives in fields of the object itself and the
 * older ones, if any, packed into one array of numbers.
 */
import type { Revision } from "./revision.ts";

/** A revision of a key as the index knows it: all but the value. */
export interface KeyRevision extends Revision {
  /** Revision that created the key's generation; 0 for a tombstone. */
  readonly createRevision: number;
  /** Changes since the creation, from 1; 0 marks a tombstone. */
  readonly version: number;
}

/** Numbers that one older revision takes in the packed array: main, sub, createRevision, version. */
const stride = 4;

/** The retained revisions of one key. */
export class KeyHistory implements KeyRevision {
  main: number;
  sub: number;
  createRevision: number;
  version: number;
  /** The lease of the newest revision, 0 if none. */
  lease: bigint;
  #past: number[] | undefined;

  /** A key with one revision, which may be a tombstone whose predecessors have been compacted. */
  constructor(revision: KeyRevision, lease: bigint) {
    this.main = revision.main;
    this.sub = revision.sub;
    this.createRevision = revision.createRevision;
    this.version = revision.version;
    this.lease = lease;
    this.#past = undefined;
  }

  /** Whether the newest revision is not a tombstone. */
  get isLive(): boolean {
    return this.version !== 0;
  }

  /** Appends a revision, newer than all others. */
  append(revision: KeyRevision, lease: bigint): void {
    this.#past ??= [];
    this.#past.push(this.main, this.sub, this.createRevision, this.version);
    this.main = revision.main;
    this.sub = revision.sub;
    this.createRevision = revision.createRevision;
    this.version = revision.version;
    this.lease = lease;
  }

  /**
   * The newest revision not above a store revision, tombstones included.
   *
   * @returns an object that is valid until the key changes; undefined if the key is younger
   */
  newestAt(main: number): KeyRevision | undefined {
    if (this.main <= main) return this;
    const past = this.#past;
    const after = past === undefined ? 0 : countUpTo(past, main);
    return past === undefined || after === 0 ? undefined : revisionAt(past, after - 1);
  }

  /** Like {@link KeyHistory.newestAt}, but undefined if the key was deleted there. */
  liveAt(main: number): KeyRevision | undefined {
    const revision = this.newestAt(main);
    return revision === undefined || revision.version === 0 ? undefined : revision;
  }

  /**
   * Forgets what a compaction removes: all below the newest revision ≤ `main`, and that one too if it is a
   * tombstone below `main`.
   *
   * @returns whether nothing remains, so that the key itself can go
   */
  compact(main: number): boolean {
    const newest = this.newestAt(main);
    if (newest === undefined) return false;
    const gone = newest.version === 0 && newest.main < main;
    if (newest === this) {
      this.#past = undefined;
      return gone;
    }
    const past = this.#past;
    if (past !== undefined) past.splice(0, stride * (countUpTo(past, main) - (gone ? 0 : 1)));
    if (past?.length === 0) this.#past = undefined;
    return false;
  }
}

/** Whether a revision is what a read at `main` sees of the key. */
export function isLiveRevision(history: KeyHistory | undefined, revision: Revision, main: number): boolean {
  const live = history?.liveAt(main);
  return live !== undefined && live.main === revision.main && live.sub === revision.sub;
}

/** Whether a compaction at `main` keeps this revision of the key. */
export function survivesCompaction(history: KeyHistory | undefined, revision: Revision, main: number): boolean {
  const newest = history?.newestAt(main);
  if (newest === undefined || newest.main !== revision.main || newest.sub !== revision.sub) return false;
  return newest.version !== 0 || newest.main === main;
}

/** How many packed revisions have a main ≤ `main`. */
function countUpTo(past: readonly number[], main: number): number {
  let low = 0;
  let high = past.length / stride;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((past[middle * stride] as number) <= main) low = middle + 1;
    else high = middle;
  }
  return low;
}

function revisionAt(past: readonly number[], index: number): KeyRevision {
  const at = index * stride;
  return {
    main: past[at] as number,
    sub: past[at + 1] as number,
    createRevision: past[at + 2] as number,
    version: past[at + 3] as number,
  };
}
