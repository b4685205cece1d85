import type { ConfState, Entry, HardState, Snapshot } from "./types.ts";

/** Positions `[start, end)` of the log. */
export interface LogRange {
  /** The first position. */
  readonly start: number;
  /** The position after the last. */
  readonly end: number;
}

/** What a member restarts from. */
export interface InitialState {
  /** The last hard state that was saved; all zero for a member that never ran. */
  readonly hardState: HardState;
  /** The membership as of the index given as `applied`; empty for a member that never ran. */
  readonly confState: ConfState;
}

/**
 * The stable part of the log, as Raft reads it: entries that are on disk and still at hand. Its owner appends what
 * a `Ready` brought once it is durable, and compacts it. Reads are synchronous, so the owner keeps in memory
 * what slow followers may still need. For every `i` in `[firstIndex, lastIndex]` the entry is there.
 */
export interface LogStorage {
  /** What the member restarts from; read once, when the node is created. */
  initialState(): InitialState;
  /** The first position whose entry is there: one after the last that was compacted, 1 if none was. */
  readonly firstIndex: number;
  /** The last position; `firstIndex - 1` if there is no entry. */
  readonly lastIndex: number;
  /**
   * The term of a position in `[firstIndex - 1, lastIndex]`: that of the entry compacted last is kept, for the
   * consistency check of appends needs it. Undefined outside.
   */
  term(index: number): number | undefined;
  /**
   * The first entries of the range that fit into `maxBytes`, at least one. The array stays unchanged for ever.
   *
   * @param range - not empty, `end <= lastIndex + 1`
   * @returns undefined if the start was compacted
   */
  entries(range: LogRange, maxBytes: number): readonly Entry[] | undefined;
  /**
   * The latest snapshot, with an index of at least `firstIndex - 1`, to bring a follower up from nothing.
   * Undefined if none is at hand now; Raft asks again later.
   */
  snapshot(): Snapshot | undefined;
}
