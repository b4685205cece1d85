import type { Snapshot } from "@conclave/raft";
import type { Applier } from "./applier.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";
import type { StateMachine } from "./state-machine.ts";
import type { StoreFlusher } from "./store-flusher.ts";

/** What a snapshot replaces, and what must stand still meanwhile. */
export interface SnapshotInstallerPorts extends StateMachine {
  readonly files: SnapshotFiles;
  readonly flusher: StoreFlusher;
  readonly applier: Applier;
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
