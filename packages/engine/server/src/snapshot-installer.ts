import type { Backend } from "@conclave/base";
import type { Lessor } from "@conclave/lease";
import type { MvccStore } from "@conclave/mvcc";
import type { Snapshot } from "@conclave/raft";
import type { Alarms } from "./alarms.ts";
import type { Applier } from "./applier.ts";
import type { CompactionJob } from "./compaction-job.ts";
import type { Membership } from "./membership.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";
import type { StoreFlusher } from "./store-flusher.ts";
import type { WatchFeed } from "./watch-feed.ts";

/** All that a snapshot replaces. */
export interface SnapshotInstallerPorts {
  readonly files: SnapshotFiles;
  readonly backend: Backend;
  readonly flusher: StoreFlusher;
  readonly lessor: Lessor;
  readonly store: MvccStore;
  readonly alarms: Alarms;
  readonly membership: Membership;
  readonly applier: Applier;
  readonly watchFeed: WatchFeed;
  readonly compaction: CompactionJob;
  /** Lets others work between two slices. */
  readonly pause: () => Promise<void>;
}

/** Replaces the whole state machine by one that came from the leader. */
export class SnapshotInstaller {
  readonly #ports: SnapshotInstallerPorts;
  #underWay: Promise<void> | undefined;

  constructor(ports: SnapshotInstallerPorts) {
    this.#ports = ports;
  }

  /** While the state is being replaced: until when nothing may be read of it. */
  get underWay(): Promise<void> | undefined {
    return this.#underWay;
  }

  /** Installs a snapshot whose database lies on disk and whose record is in the log. */
  async install(snapshot: Snapshot): Promise<void> {
    let finish = (): void => {};
    this.#underWay = new Promise((resolve) => {
      finish = resolve;
    });
    const { watchFeed, compaction } = this.#ports;
    watchFeed.pause();
    compaction.pause();
    await this.#ports.flusher.exclusively(() => this.#replace(snapshot));
    this.#underWay = undefined;
    watchFeed.resume();
    compaction.start();
    finish();
  }

  async #replace({ metadata }: Snapshot): Promise<number> {
    const { files, backend, lessor, store, alarms, membership, applier, pause } = this.#ports;
    await files.restore(metadata.index, backend);
    // Keys are attached to leases while the index is rebuilt, so leases come first.
    lessor.reload();
    for (const _ of store.reload()) await pause();
    alarms.reload();
    membership.reload();
    applier.restore(metadata);
    return metadata.index;
  }
}
