import type { Ready } from "../ready.ts";
import { emptySnapshot } from "../snapshot.ts";
import type { Entry, HardState, Snapshot } from "../types.ts";

/** What a member finds on its disk when it starts. */
export interface DiskState {
  readonly hardState: HardState;
  readonly snapshot: Snapshot;
  /** The entries after the snapshot. */
  readonly entries: readonly Entry[];
}

const emptyDisk: DiskState = {
  hardState: { term: 0, vote: 0n, commit: 0 },
  snapshot: emptySnapshot,
  entries: [],
};

/** A disk that loses in a crash what was not synced. */
export class SimulatedDisk {
  #written: DiskState;
  #synced: DiskState;

  constructor(state: DiskState = emptyDisk) {
    this.#written = state;
    this.#synced = state;
  }

  /** What a crash leaves. */
  get synced(): DiskState {
    return this.#synced;
  }

  /** Writes what a Ready brought. Like a WAL: what was written before is synced along. */
  save(ready: Pick<Ready, "hardState" | "entries" | "snapshot" | "mustSync">): void {
    const { hardState, snapshot, entries } = ready;
    if (snapshot !== undefined) this.#written = { ...this.#written, snapshot, entries: [] };
    const first = entries[0];
    if (first !== undefined) {
      const kept = this.#written.entries.filter((entry) => entry.index < first.index);
      this.#written = { ...this.#written, entries: [...kept, ...entries] };
    }
    if (hardState !== undefined) this.#written = { ...this.#written, hardState };
    if (ready.mustSync) this.#synced = this.#written;
  }

  /** Writes and syncs a snapshot of the applied state, and forgets the entries that it includes. */
  saveSnapshot(snapshot: Snapshot): void {
    const entries = this.#written.entries.filter((entry) => entry.index > snapshot.metadata.index);
    this.#written = { ...this.#written, snapshot, entries };
    this.#synced = this.#written;
  }

  /** Writes, in a crash, the first `count` of a Ready's entries and nothing more of it. */
  tear(ready: Pick<Ready, "entries">, count: number): void {
    this.save({ hardState: undefined, snapshot: undefined, entries: ready.entries.slice(0, count), mustSync: true });
  }

  /** Loses what was not synced. */
  crash(): void {
    this.#written = this.#synced;
  }
}
