import { emptyBytes, invariant } from "@conclave/base";
import type { ConfState, MemoryLogStorage } from "@conclave/raft";
import type { Wal } from "@conclave/wal";
import type { StoreFlusher } from "../apply/store-flusher.ts";

/** What the log is kept short with. */
export interface LogCompactorOptions {
  readonly wal: Wal;
  readonly log: MemoryLogStorage;
  readonly flusher: StoreFlusher;
  /** Applied entries between two snapshot records. */
  readonly snapshotCount: number;
  /** Entries kept in memory before a snapshot, for peers that are a little behind. */
  readonly catchUpEntries: number;
  /** The raft configuration as of the last applied entry. */
  readonly confState: () => ConfState;
  /** Told when the disk failed. */
  readonly onFailure: (error: unknown) => void;
  /** Told of each snapshot record. */
  readonly onSnapshot: (index: number) => void;
}

/**
 * Keeps the log short: every so many entries it waits until the store holds them, marks that in the log with a
 * snapshot record, and lets go of what lies before. The store itself is the snapshot's content.
 */
export class LogCompactor {
  readonly #options: LogCompactorOptions;
  #snapshotIndex: number;
  #running = false;

  /** @param snapshotIndex - index of the last snapshot record */
  constructor(options: LogCompactorOptions, snapshotIndex: number) {
    this.#options = options;
    this.#snapshotIndex = snapshotIndex;
  }

  /** To be called after entries up to `appliedIndex` were applied. */
  afterApply(appliedIndex: number): void {
    if (this.#running || appliedIndex - this.#snapshotIndex < this.#options.snapshotCount) return;
    this.#running = true;
    this.#compact(appliedIndex)
      .catch(this.#options.onFailure)
      .finally(() => {
        this.#running = false;
      });
  }

  /** Takes note of a snapshot that came from the leader and replaced the log. */
  onInstalled(index: number): void {
    this.#snapshotIndex = Math.max(this.#snapshotIndex, index);
  }

  async #compact(index: number): Promise<void> {
    const { wal, log, flusher, catchUpEntries } = this.#options;
    const term = log.term(index);
    invariant(term !== undefined, "the last applied entry is in the log", index);
    const confState = this.#options.confState();
    await flusher.flush();
    if (flusher.flushedIndex < index) return; // The store failed and the member is stopping.
    if (this.#snapshotIndex >= index) return; // Meanwhile the leader sent a snapshot that goes further.
    await wal.saveSnapshot({ index, term, confState });
    this.#snapshotIndex = index;
    log.createSnapshot({ index, confState, data: emptyBytes });
    if (index > catchUpEntries) log.compact(index - catchUpEntries);
    await wal.release(index);
    this.#options.onSnapshot(index);
  }
}
