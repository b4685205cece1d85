import type { Snapshot } from "@conclave/raft";
import type { Applier } from "../apply/applier.ts";
import type { StateMachine } from "../apply/state-machine.ts";
import type { StoreFlusher } from "../apply/store-flusher.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";

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
  #count = 0;

  constructor(ports: SnapshotInstallerPorts) {
    this.#ports = ports;
  }

  /** While the state is being replaced: until when nothing may be read of it. */
  get underWay(): Promise<void> | undefined {
    return this.#underWay;
  }

  /** How many were installed: what has read half of one state must not read the rest of another. */
  get count(): number {
    return this.#count;
  }

  /** Installs a snapshot whose database lies on disk and whose record is in the log. */
  async install(snapshot: Snapshot): Promise<void> {
    let finish = (): void => {};
    this.#underWay = new Promise((resolve) => {
      finish = resolve;
    });
    this.#count += 1;
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
    const { files, backend, lessor, store, watchFeed, alarms, auth, tokens, membership, applier, pause } = this.#ports;
    await files.restore(metadata.index, backend);
    // Keys are attached to leases while the index is rebuilt, so leases come first.
    lessor.reload();
    for (const _ of store.reload()) await pause();
    // At once: nobody may be told of the new revision whose watchers have not been given what led to it.
    watchFeed.resync();
    alarms.reload();
    auth.reload();
    // Who was deleted, or has a new password, cannot be told from the new state.
    tokens.clear();
    membership.reload();
    applier.restore(metadata);
    return metadata.index;
  }
}
