import { invariant } from "@conclave/base";
import { countWithin, limitBytes, type Proposal } from "./entry.ts";
import type { LogRange, LogStorage } from "./storage.ts";
import type { Entry, Snapshot } from "./types.ts";
import { Unstable } from "./unstable.ts";

/** A position of a log and the term of the entry there: together they name the log up to there (§5.3). */
export interface EntryId {
  /** The position. */
  readonly index: number;
  /** The term of the entry. */
  readonly term: number;
}

/** What a leader asks a follower to append. */
export interface Append {
  /** The entry before the first. */
  readonly previous: EntryId;
  /** The entries, contiguous after `previous`. */
  readonly entries: readonly Entry[];
  /** The leader's commit index. */
  readonly commit: number;
}

/**
 * A member's log: the stable part in storage, the unstable one here.
 *
 * Invariant: applied <= applying <= committed <= lastIndex. What lies at or below `committed` never changes.
 */
export class RaftLog {
  readonly unstable: Unstable;
  readonly #storage: LogStorage;
  #committed: number;
  #applying: number;
  #applied: number;

  constructor(storage: LogStorage) {
    this.#storage = storage;
    this.unstable = new Unstable(storage.lastIndex + 1);
    // All that was compacted had been applied.
    this.#committed = storage.firstIndex - 1;
    this.#applying = this.#committed;
    this.#applied = this.#committed;
  }

  /** The highest position known to be on a quorum (§5.3). */
  get committed(): number {
    return this.#committed;
  }

  /** The highest position handed out to be applied. */
  get applying(): number {
    return this.#applying;
  }

  /** The highest position that is applied. */
  get applied(): number {
    return this.#applied;
  }

  /** The first position whose entry is at hand. */
  get firstIndex(): number {
    const { snapshot } = this.unstable;
    return snapshot === undefined ? this.#storage.firstIndex : snapshot.metadata.index + 1;
  }

  /** The last position. */
  get lastIndex(): number {
    return this.unstable.lastIndex ?? this.#storage.lastIndex;
  }

  /** The last position that is durable. */
  get stableIndex(): number {
    return this.unstable.offset - 1;
  }

  /** The last entry's position and term. */
  get lastEntryId(): EntryId {
    const index = this.lastIndex;
    return { index, term: this.termOrThrow(index) };
  }

  /** The term of a position; undefined if its entry was compacted or does not exist. */
  term(index: number): number | undefined {
    const term = this.unstable.term(index);
    if (term !== undefined || index >= this.unstable.offset) return term;
    // An unstable snapshot hides the stable log.
    return this.unstable.snapshot === undefined ? this.#storage.term(index) : undefined;
  }

  /** The term of a position that must be at hand. */
  termOrThrow(index: number): number {
    const term = this.term(index);
    invariant(term !== undefined, "the position is within the log", index, this.firstIndex - 1, this.lastIndex);
    return term;
  }

  /** Whether the log holds this very entry, and so everything before it (log matching, §5.3). */
  matches(id: EntryId): boolean {
    return this.term(id.index) === id.term;
  }

  /** Whether a log that ends with `last` is at least as up-to-date as this one (§5.4.1). */
  isUpToDate(last: EntryId): boolean {
    const own = this.lastEntryId;
    return last.term > own.term || (last.term === own.term && last.index >= own.index);
  }

  /** Appends a leader's own entry, in constant time. */
  push(proposal: Proposal, term: number): Entry {
    const entry: Entry = { type: proposal.type, term, index: this.lastIndex + 1, data: proposal.data };
    this.unstable.push(entry);
    return entry;
  }

  /**
   * Appends a leader's entries at a follower, if the logs agree on the entry before them (§5.3).
   *
   * @returns the last of the given positions, up to which the logs are now equal; undefined if they do not agree
   */
  maybeAppend(append: Append): number | undefined {
    if (!this.matches(append.previous)) return undefined;
    const last = append.previous.index + append.entries.length;
    const conflict = append.entries.findIndex((entry) => !this.matches(entry));
    if (conflict >= 0) this.#replaceFrom(append.entries.slice(conflict));
    this.commitTo(Math.min(append.commit, last));
    return last;
  }

  #replaceFrom(entries: readonly Entry[]): void {
    const first = entries[0]?.index ?? 0;
    invariant(first > this.#committed, "a committed entry is never replaced", first, this.#committed);
    this.unstable.truncateAndAppend(entries, first);
  }

  /**
   * The last position at or below `id.index` where the log's term is at most `id.term`: the highest one at which it
   * may agree with a log that has that entry. It lets leader and follower skip a whole term in one round (§5.3).
   * The term is 0 if the position was compacted.
   */
  findConflictByTerm(id: EntryId): EntryId {
    for (let index = id.index; index > 0; index--) {
      const term = this.term(index);
      if (term === undefined) return { index, term: 0 };
      if (term <= id.term) return { index, term };
    }
    return { index: 0, term: 0 };
  }

  /** Takes note that the entries up to `last` are durable, and in the storage. */
  stableTo(last: Entry): void {
    const isStored = this.#storage.term(last.index) === last.term;
    invariant(isStored, "an entry is in the storage before it counts as stable", last.index, last.term);
    this.unstable.stableTo(last);
  }

  /** Takes note that a snapshot up to `index` is durable, and in the storage. */
  stableSnapshotTo(index: number): void {
    const { firstIndex } = this.#storage;
    invariant(index < firstIndex, "a snapshot is in the storage before it counts as stable", index, firstIndex);
    this.unstable.stableSnapshotTo(index);
  }

  /** Takes note that the entries up to `index` are committed; a lower index than known is stale and ignored. */
  commitTo(index: number): void {
    if (index <= this.#committed) return;
    invariant(
      index <= this.lastIndex,
      "only entries of the log are committed; was the log lost?",
      index,
      this.lastIndex,
    );
    this.#committed = index;
  }

  /** Takes note that the entries up to `index` were handed out to be applied. */
  acceptApplying(index: number): void {
    invariant(index >= this.#applying, "applying goes forward", index, this.#applying);
    invariant(index <= this.#committed, "applying <= committed", index, this.#committed);
    this.#applying = index;
  }

  /** Takes note that the entries up to `index` are applied. */
  appliedTo(index: number): void {
    invariant(index >= this.#applied, "applied goes forward", index, this.#applied);
    invariant(index <= this.#committed, "applied <= committed", index, this.#committed);
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
  }

  /** Whether there are committed entries to hand out. While a snapshot waits to be applied there are none. */
  get hasNextCommitted(): boolean {
    return this.unstable.snapshot === undefined && this.#applying < this.#committed;
  }

  /** The next committed entries to apply, as many as fit into `maxBytes`. */
  nextCommitted(maxBytes: number): readonly Entry[] {
    if (!this.hasNextCommitted) return [];
    const entries = this.entries({ start: this.#applying + 1, end: this.#committed + 1 }, maxBytes);
    invariant(entries !== undefined, "what is not applied is not compacted", this.#applying + 1, this.firstIndex);
    return entries;
  }

  /** The first entries of the range that fit into `maxBytes`, at least one; undefined if the start was compacted. */
  entries(range: LogRange, maxBytes: number): readonly Entry[] | undefined {
    const { start, end } = range;
    if (start >= end) return [];
    if (start < this.firstIndex) return undefined;
    const { offset } = this.unstable;
    if (start >= offset) return limitBytes(this.unstable.slice(start, end), maxBytes);
    const stable = this.#storage.entries({ start, end: Math.min(end, offset) }, maxBytes);
    if (stable === undefined || end <= offset || start + stable.length < offset) return stable;
    const all = [...stable, ...this.unstable.slice(offset, end)];
    return all.slice(0, Math.max(stable.length, countWithin(all, maxBytes)));
  }

  /** The latest snapshot, if one is at hand. */
  snapshot(): Snapshot | undefined {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  /** Replaces the whole log by a leader's snapshot (§7). */
  restore(snapshot: Snapshot): void {
    const { index } = snapshot.metadata;
    invariant(index > this.#committed, "a snapshot goes beyond what is committed", index, this.#committed);
    this.unstable.restore(snapshot);
    this.#committed = index;
  }
}
