import { invariant, utf8, utf8Text } from "@conclave/base";
import { confChangeOf } from "../conf-change.ts";
import type { RaftConfig } from "../config.ts";
import { MemoryLogStorage } from "../memory-log-storage.ts";
import { createRawNode, type RawNode } from "../raw-node.ts";
import type { Ready } from "../ready.ts";
import type { ConfState, Entry, Message, Snapshot } from "../types.ts";
import { type DiskState, SimulatedDisk } from "./simulated-disk.ts";

/** Who wants to see what a member applies. */
export interface MemberObserver {
  onApply(member: SimulatedMember, entry: Entry): void;
  onRestore(member: SimulatedMember, snapshot: Snapshot): void;
}

/** What a member is made of, beyond what it has on disk. */
export interface MemberOptions {
  readonly id: bigint;
  /** The membership before the first entry. */
  readonly confState: ConfState;
  readonly config: Omit<RaftConfig, "id" | "storage" | "applied">;
  readonly observer: MemberObserver;
  /** What is on its disk at first. Default: nothing. */
  readonly disk?: DiskState;
}

/** What a crash takes away. */
interface Process {
  readonly node: RawNode;
  readonly storage: MemoryLogStorage;
}

function boot(options: MemberOptions, disk: SimulatedDisk): Process {
  const { confState, config, id } = options;
  const { snapshot, entries, hardState } = disk.synced;
  const isFresh = snapshot.metadata.index === 0;
  const storage = new MemoryLogStorage({ snapshot, entries, hardState, ...(isFresh ? { confState } : {}) });
  return { node: createRawNode({ ...config, id, storage, applied: snapshot.metadata.index }), storage };
}

/** A state machine that remembers all it was told as one number. */
interface StateMachine {
  readonly index: number;
  readonly digest: number;
}

/** Mixes an entry into a digest (FNV-1a). */
function mixed(digest: number, entry: Entry): number {
  let mixing = digest ^ entry.index;
  for (const byte of entry.data) mixing = Math.imul(mixing ^ byte, 0x01000193);
  return mixing >>> 0;
}

/** A member with its disk and state machine: the shell around a RawNode, one step at a time. */
export class SimulatedMember {
  readonly id: bigint;
  readonly disk: SimulatedDisk;
  readonly #options: MemberOptions;
  #process: Process;
  #state: StateMachine;
  /** The Ready that is being worked on. */
  #outstanding: Ready | undefined = undefined;
  /** How far the work on it has come. */
  stage: "idle" | "taken" | "saved" = "idle";
  isUp = false;

  constructor(options: MemberOptions) {
    this.id = options.id;
    this.#options = options;
    this.disk = new SimulatedDisk(options.disk);
    this.#process = boot(options, this.disk);
    this.#state = stateOf(this.disk.synced.snapshot);
    this.isUp = true;
  }

  get node(): RawNode {
    return this.#process.node;
  }

  get storage(): MemoryLogStorage {
    return this.#process.storage;
  }

  get state(): StateMachine {
    return this.#state;
  }

  /** Starts from what is on disk. */
  restart(): void {
    this.#process = boot(this.#options, this.disk);
    this.#state = stateOf(this.disk.synced.snapshot);
    this.isUp = true;
  }

  /** Stops at once, without warning. */
  crash(): void {
    this.#outstanding = undefined;
    this.stage = "idle";
    this.disk.crash();
    this.isUp = false;
  }

  /** Takes the next Ready. */
  take(): Ready {
    this.#outstanding = this.node.ready();
    this.stage = "taken";
    return this.#outstanding;
  }

  /** Step 1: to disk. */
  save(): void {
    this.disk.save(this.#taken());
    this.stage = "saved";
  }

  /** Writes the first entries of the Ready and nothing else: a crash follows. */
  tear(entries: number): void {
    this.disk.tear(this.#taken(), entries);
  }

  /** Steps 2 to 5: storage, messages, apply, advance. */
  finish(): readonly Message[] {
    const ready = this.#taken();
    if (ready.snapshot !== undefined) this.#restore(ready.snapshot);
    this.storage.append(ready.entries);
    for (const entry of ready.committedEntries) this.#apply(entry);
    this.#outstanding = undefined;
    this.stage = "idle";
    this.node.advance(ready);
    return ready.messages;
  }

  #taken(): Ready {
    invariant(this.#outstanding !== undefined, "a Ready was taken");
    return this.#outstanding;
  }

  #restore(snapshot: Snapshot): void {
    this.storage.applySnapshot(snapshot);
    this.#state = stateOf(snapshot);
    this.#options.observer.onRestore(this, snapshot);
  }

  #apply(entry: Entry): void {
    invariant(entry.index === this.state.index + 1, "entries are applied in order", entry.index, this.state.index);
    this.#state = { index: entry.index, digest: mixed(this.state.digest, entry) };
    const change = confChangeOf(entry);
    if (change !== undefined) this.node.applyConfChange(change);
    this.#options.observer.onApply(this, entry);
  }

  /** Takes a snapshot of the applied state and compacts the log, but for the last `keep` applied entries. */
  compact(keep: number): void {
    const { index, digest } = this.state;
    const data = utf8(JSON.stringify({ index, digest }));
    this.storage.createSnapshot({ index, confState: this.node.confState, data });
    const snapshot = this.storage.snapshot();
    invariant(snapshot?.metadata.index === index, "the snapshot is of the applied state", index);
    this.disk.saveSnapshot(snapshot);
    this.storage.compact(Math.max(0, index - keep));
  }

  /** The log at hand, durable or not. */
  get log(): readonly Entry[] {
    const { firstIndex, lastIndex } = this.storage;
    if (firstIndex > lastIndex) return [];
    return this.storage.entries({ start: firstIndex, end: lastIndex + 1 }, Number.POSITIVE_INFINITY) ?? [];
  }
}

function stateOf(snapshot: Snapshot): StateMachine {
  if (snapshot.metadata.index === 0) return { index: 0, digest: 0x811c9dc5 };
  return JSON.parse(utf8Text(snapshot.data)) as StateMachine;
}
