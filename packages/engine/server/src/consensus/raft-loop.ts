/**
 * @module The only place where raft meets disk, network and time. What raft hands out is carried out in the order
 * that keeps it safe: persist, then speak and apply, then tell raft that it is done (Raft thesis §10.2).
 */
import { invariant, type Scheduler } from "@conclave/base";
import {
  type ConfChange,
  type Entry,
  type Message,
  maySendBeforeSave,
  type ProposeResult,
  type RawNode,
  type Ready,
  type Snapshot,
  type StepResult,
} from "@conclave/raft";
import type { Wal } from "@conclave/wal";

/** What the loop drives. */
export interface RaftLoopPorts {
  /** The raft state machine. */
  readonly node: RawNode;
  /** Where the entries that raft may still need are kept in memory. */
  readonly log: { append(entries: readonly Entry[]): void; applySnapshot(snapshot: Snapshot): void };
  /** The durable log. */
  readonly wal: Wal;
  /** Decides when a turn of the event loop is over: everything proposed in one turn is one batch. */
  readonly scheduler: Scheduler;
  /** Carries messages to peers. */
  readonly send: (messages: readonly Message[]) => void;
  /** Replaces the state machine by a snapshot that is recorded in the durable log; its database lies on disk. */
  readonly install: (snapshot: Snapshot) => Promise<void>;
  /** Applies committed entries to the state machine, in order. May wait when the store falls behind. */
  readonly apply: (entries: readonly Entry[]) => Promise<void> | undefined;
  /** Takes an answered read index. */
  readonly onReadState: (context: Uint8Array, index: number) => void;
  /** Takes note that leader or role may have changed. */
  readonly onSoftState: () => void;
  /** Ends the member: the disk failed or a rule was broken. Called at most once. */
  readonly onFailure: (error: unknown) => void;
}

/** Runs one raft node: everything that arrived in one turn of the event loop is persisted with one sync. */
export class RaftLoop {
  readonly #ports: RaftLoopPorts;
  #scheduled = false;
  #running = false;
  #lastRun: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(ports: RaftLoopPorts) {
    this.#ports = ports;
  }

  /** Proposes one entry; it is sent to disk and peers when the turn ends. */
  propose(data: Uint8Array): ProposeResult {
    return this.#woken(this.#ports.node.propose(data));
  }

  /** Proposes a change of the membership. */
  proposeConfChange(change: ConfChange): ProposeResult {
    return this.#woken(this.#ports.node.proposeConfChange(change));
  }

  /** Takes a message from a peer. */
  step(message: Message): StepResult {
    return this.#woken(this.#ports.node.step(message));
  }

  /** Asks for a read index; the answer comes through the port. */
  readIndex(context: Uint8Array): StepResult {
    return this.#woken(this.#ports.node.readIndex(context));
  }

  /** Begins to hand leadership over. */
  transferLeadership(to: bigint): StepResult {
    return this.#woken(this.#ports.node.transferLeadership(to));
  }

  /** Whether this member leads in a term, now. */
  leadsIn(term: number): boolean {
    const { node } = this.#ports;
    return node.role === "leader" && node.term === term;
  }

  /** Takes note that a peer could not be reached. */
  reportUnreachable(id: bigint): void {
    this.#ports.node.reportUnreachable(id);
    this.#wake();
  }

  /** Takes note of how sending a snapshot ended. */
  reportSnapshot(id: bigint, status: "finish" | "failure"): void {
    this.#ports.node.reportSnapshot(id, status);
    this.#wake();
  }

  /** Lets one tick of raft's logical clock pass. */
  tick(): void {
    this.#ports.node.tick();
    this.#wake();
  }

  /** Stands for election now. */
  campaign(): void {
    this.#ports.node.campaign();
    this.#wake();
  }

  /** Takes nothing more in and resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#lastRun;
  }

  #woken<R>(result: R): R {
    this.#wake();
    return result;
  }

  #wake(): void {
    if (this.#scheduled || this.#stopped || this.#running) return;
    this.#scheduled = true;
    this.#ports.scheduler.atTurnEnd(() => {
      this.#scheduled = false;
      if (!this.#stopped) this.#lastRun = this.#drain();
    });
  }

  async #drain(): Promise<void> {
    const { node } = this.#ports;
    this.#running = true;
    try {
      while (node.hasReady() && !this.#stopped) await this.#carryOut(node.ready());
    } catch (error) {
      this.#stopped = true;
      this.#ports.onFailure(error);
    }
    this.#running = false;
  }

  async #carryOut(ready: Ready): Promise<void> {
    const { node, log, send, apply } = this.#ports;
    if (ready.softState !== undefined) this.#ports.onSoftState();
    const [before, after] = splitMessages(ready.messages);
    if (before.length > 0) send(before);
    const saved = this.#save(ready);
    saved.catch(() => {}); // Taken up by the await below; until then it must not count as unhandled.
    // What was durable before this Ready is applied while the disk works on the rest. An entry must never reach
    // the store before it is in the log on this disk: the store would be ahead of the log after a crash.
    const early = ready.snapshot === undefined ? entriesBelow(ready.committedEntries, ready.entries[0]?.index) : [];
    const applied = early.length > 0 ? apply(early) : undefined;
    await saved;
    if (ready.snapshot !== undefined) log.applySnapshot(ready.snapshot);
    log.append(ready.entries);
    if (after.length > 0) send(after);
    await applied;
    if (ready.snapshot !== undefined) await this.#ports.install(ready.snapshot);
    if (early.length < ready.committedEntries.length) await apply(ready.committedEntries.slice(early.length));
    for (const { context, index } of ready.readStates) this.#ports.onReadState(context, index);
    node.advance(ready);
  }

  /** The record of a snapshot goes before the hard state that commits it: without the latter it does not count. */
  async #save({ snapshot, hardState, entries }: Ready): Promise<void> {
    const { wal } = this.#ports;
    if (snapshot === undefined) return wal.save(hardState, entries);
    await wal.saveSnapshot(snapshot.metadata);
    await wal.save(hardState, entries);
  }
}

/** What a leader sends may leave while its own disk still works; promises must wait for it. */
function splitMessages(messages: readonly Message[]): readonly [readonly Message[], readonly Message[]] {
  if (messages.every(maySendBeforeSave)) return [messages, []];
  return [messages.filter(maySendBeforeSave), messages.filter((message) => !maySendBeforeSave(message))];
}

function entriesBelow(entries: readonly Entry[], index: number | undefined): readonly Entry[] {
  const last = entries.at(-1);
  if (index === undefined || last === undefined || last.index < index) return entries;
  invariant((entries[0] as Entry).index <= index, "committed entries do not start beyond new ones", index);
  return entries.filter((entry) => entry.index < index);
}
