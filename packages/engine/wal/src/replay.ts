import { MalformedError } from "@conclave/base";
import type { Entry, HardState } from "@conclave/raft";
import { emptyHardState, type WalRecord, type WalSnapshot } from "./records.ts";

/** Rebuilds what a member had saved from the records of its log, starting at a snapshot. */
export class Replay {
  readonly #from: WalSnapshot;
  /** The entries after the snapshot; their indexes follow one another. */
  readonly entries: Entry[] = [];
  /** The last hard state. */
  hardState: HardState = emptyHardState;
  /** Records of the snapshot's index; the last one counts. */
  snapshot: WalSnapshot | undefined;
  /** The last entry or snapshot that was saved. */
  lastIndex: number;

  constructor(from: WalSnapshot) {
    this.#from = from;
    this.lastIndex = from.index;
  }

  /**
   * Takes the next record in.
   *
   * @throws {@link MalformedError} if entries are missing before it
   */
  accept(record: WalRecord): void {
    if (record.kind === "entry") this.#acceptEntry(record.entry);
    else if (record.kind === "state") this.hardState = record.hardState;
    else if (record.kind === "snapshot") this.#acceptSnapshot(record.snapshot);
  }

  /** An entry replaces all that was at its index and after it: another leader has overruled them. */
  #acceptEntry(entry: Entry): void {
    if (entry.index <= this.#from.index) return;
    const position = entry.index - this.#from.index - 1;
    if (position > this.entries.length)
      throw new MalformedError(
        `entry ${entry.index} follows entry ${this.#from.index + this.entries.length}, those between are missing`,
      );
    this.entries.length = position;
    this.entries.push(entry);
    this.lastIndex = entry.index;
  }

  #acceptSnapshot(snapshot: WalSnapshot): void {
    if (snapshot.index === this.#from.index) this.snapshot = snapshot;
    this.lastIndex = Math.max(this.lastIndex, snapshot.index);
  }
}
