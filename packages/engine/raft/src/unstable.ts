import { invariant } from "@conclave/base";
import type { Entry, Snapshot } from "./types.ts";

/**
 * The part of the log that is not known to be durable: perhaps a snapshot from the leader, and the entries from
 * `offset` on. Entries may overlap the stable log; where they do, they are what counts.
 *
 *     stable log   1  2  3  4  5
 *     unstable              4' 5' 6'      offset = 4
 */
export class Unstable {
  /** The snapshot that is to replace the stable log. */
  snapshot: Snapshot | undefined = undefined;
  /** The entries, `entries[i]` at position `offset + i`. */
  entries: Entry[] = [];
  /** The position of the first entry; one past the stable log if there is none. */
  offset: number;

  constructor(offset: number) {
    this.offset = offset;
  }

  /** The last position, or undefined if only the stable log knows. */
  get lastIndex(): number | undefined {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1;
    return this.snapshot?.metadata.index;
  }

  /** The term of a position, or undefined if only the stable log may know. */
  term(index: number): number | undefined {
    if (index >= this.offset) return this.entries[index - this.offset]?.term;
    const metadata = this.snapshot?.metadata;
    return metadata?.index === index ? metadata.term : undefined;
  }

  /** Adds one entry after the last, in constant time. */
  push(entry: Entry): void {
    this.entries.push(entry);
  }

  /** Adds entries from `first` on and forgets what was at and after that position. `entries` is not empty. */
  truncateAndAppend(entries: readonly Entry[], first: number): void {
    if (first <= this.offset) {
      this.entries = entries.slice();
      this.offset = first;
      return;
    }
    const kept = first - this.offset;
    invariant(kept <= this.entries.length, "the log has no gap", first, this.offset + this.entries.length);
    // A Ready may hold the old array's slice, never the array: cutting it in place is safe.
    this.entries.length = kept;
    for (const entry of entries) this.entries.push(entry);
  }

  /**
   * Takes note that the entries up to `last` are durable. Ignored if an append has replaced that entry since it was
   * handed out: then the later one has to become durable first.
   */
  stableTo(last: Entry): void {
    if (last.index < this.offset || this.term(last.index) !== last.term) return;
    const count = last.index + 1 - this.offset;
    this.entries = count === this.entries.length ? [] : this.entries.slice(count);
    this.offset += count;
  }

  /** Takes note that the snapshot is durable, unless a later one has come since. */
  stableSnapshotTo(index: number): void {
    if (this.snapshot?.metadata.index === index) this.snapshot = undefined;
  }

  /** Replaces all by a snapshot. */
  restore(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.entries = [];
    this.offset = snapshot.metadata.index + 1;
  }

  /** The entries at `[start, end)`, a new array of the same entries. The range lies within. */
  slice(start: number, end: number): readonly Entry[] {
    return this.entries.slice(start - this.offset, end - this.offset);
  }
}
