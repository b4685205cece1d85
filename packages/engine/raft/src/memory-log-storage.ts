import { invariant } from "@conclave/base";
import { limitBytes } from "./entry.ts";
import { emptySnapshot } from "./snapshot.ts";
import type { InitialState, LogRange, LogStorage } from "./storage.ts";
import type { ConfState, Entry, HardState, Snapshot } from "./types.ts";

/** What a {@link MemoryLogStorage} starts with; for a member that never ran, nothing. */
export interface MemoryLogStorageOptions {
  /** The hard state last saved. Default: all zero. */
  readonly hardState?: HardState;
  /** The membership as of the applied index. Default: that of the snapshot. */
  readonly confState?: ConfState;
  /** The snapshot the log continues from. Default: none, the log starts at 1. */
  readonly snapshot?: Snapshot;
  /** The entries, contiguous; those the snapshot includes are skipped. Default: none. */
  readonly entries?: readonly Entry[];
}

/** A {@link LogStorage} in memory: the mirror of the WAL's tail that a member needs at hand. */
export class MemoryLogStorage implements LogStorage {
  readonly #initialState: InitialState;
  #snapshot: Snapshot;
  /** The last position that was compacted and its term; `#entries[0]` follows it. */
  #compacted: { readonly index: number; readonly term: number };
  #entries: Entry[] = [];

  constructor(options: MemoryLogStorageOptions = {}) {
    this.#snapshot = options.snapshot ?? emptySnapshot;
    const { index, term, confState } = this.#snapshot.metadata;
    this.#compacted = { index, term };
    this.#initialState = {
      hardState: options.hardState ?? { term, vote: 0n, commit: index },
      confState: options.confState ?? confState,
    };
    this.append(options.entries ?? []);
  }

  initialState(): InitialState {
    return this.#initialState;
  }

  get firstIndex(): number {
    return this.#compacted.index + 1;
  }

  get lastIndex(): number {
    return this.#compacted.index + this.#entries.length;
  }

  term(index: number): number | undefined {
    if (index === this.#compacted.index) return this.#compacted.term;
    return this.#entries[index - this.firstIndex]?.term;
  }

  entries(range: LogRange, maxBytes: number): readonly Entry[] | undefined {
    invariant(range.start < range.end, "a range of the log is not empty", range.start, range.end);
    invariant(range.end <= this.lastIndex + 1, "a read stays within the log", range.end, this.lastIndex + 1);
    if (range.start < this.firstIndex) return undefined;
    return limitBytes(this.#entries.slice(range.start - this.firstIndex, range.end - this.firstIndex), maxBytes);
  }

  snapshot(): Snapshot | undefined {
    // A snapshot that the log has moved past would leave a gap at the follower.
    return this.#snapshot.metadata.index < this.#compacted.index ? undefined : this.#snapshot;
  }

  /**
   * Appends entries; from the first one's position on they replace what was there. Entries at or below the
   * compacted position are skipped.
   */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index <= this.lastIndex + 1, "appended entries leave no gap", first.index, this.lastIndex + 1);
    const skipped = Math.max(0, this.firstIndex - first.index);
    const kept = Math.max(0, first.index - this.firstIndex);
    if (skipped >= entries.length) return;
    this.#entries.length = kept;
    for (let at = skipped; at < entries.length; at++) this.#entries.push(entries[at] as Entry);
  }

  /**
   * Forgets the entries up to and including `index`, which is applied and in a snapshot or not needed by anyone.
   * Compacting again what is compacted does nothing.
   */
  compact(index: number): void {
    if (index <= this.#compacted.index) return;
    invariant(index <= this.lastIndex, "only what is in the log is compacted", index, this.lastIndex);
    const term = this.term(index);
    invariant(term !== undefined, "a position of the log has a term", index);
    this.#entries = this.#entries.slice(index - this.#compacted.index);
    this.#compacted = { index, term };
  }

  /**
   * Keeps a snapshot of the applied state, to be sent to followers that fell behind.
   *
   * @param snapshot - its term is filled in from the log; an older one than the present is ignored
   */
  createSnapshot(snapshot: { index: number; confState: ConfState; data: Uint8Array }): void {
    const { index, confState, data } = snapshot;
    if (index <= this.#snapshot.metadata.index) return;
    const term = this.term(index);
    invariant(term !== undefined, "a snapshot ends within the log", index, this.firstIndex, this.lastIndex);
    this.#snapshot = { data, metadata: { index, term, confState } };
  }

  /** Replaces the whole log by a snapshot that came from the leader. */
  applySnapshot(snapshot: Snapshot): void {
    const { index, term } = snapshot.metadata;
    invariant(index >= this.#snapshot.metadata.index, "snapshots go forward", index, this.#snapshot.metadata.index);
    this.#snapshot = snapshot;
    this.#compacted = { index, term };
    this.#entries = [];
  }
}
