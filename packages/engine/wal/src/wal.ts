import type { Entry, HardState } from "@conclave/raft";
import type { WalSnapshot } from "./records.ts";

/** The write-ahead log of one member, open for appending. */
export interface Wal extends AsyncDisposable {
  /**
   * Appends entries and then the hard state, if it is given. Resolves when that is durable; a change of `commit`
   * alone is not synced, as it can be learned again, unless it confirms a snapshot of a leader: only then that counts. Saves that overlap share one write and one sync and take
   * effect in the order of the calls. The entries must not change meanwhile. How many saves wait is for the
   * caller to bound.
   *
   * @throws {@link WalError} `DISK` after any failed write or sync, for this and all further saves, or `CLOSED`
   */
  save(hardState: HardState | undefined, entries: readonly Entry[]): Promise<void>;
  /**
   * Records that a snapshot is on disk. Resolves when the record is durable, and all saved before it.
   *
   * @throws TypeError if the snapshot has an index and no `confState`, which etcd would refuse to read
   * @throws {@link WalError} as {@link Wal.save}
   */
  saveSnapshot(snapshot: WalSnapshot): Promise<void>;
  /**
   * Removes the segments that opening at a snapshot of this index, or of a higher one, does not read.
   *
   * @throws {@link WalError} `DISK`; the log stays usable, and the next call tries again
   */
  release(index: number): Promise<void>;
  /** Bytes of records written since the log was opened. */
  readonly writtenBytes: number;
  /**
   * Makes durable what was saved, and lets go of the files. Further saves are refused.
   *
   * @throws {@link WalError} `DISK` if the last write or sync fails; not for an earlier failure
   */
  close(): Promise<void>;
}
