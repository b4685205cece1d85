/**
 * @module Raft behind one object: what happens goes in, what must be done comes out as a {@link Ready}.
 *
 * The shell around it does, in this order:
 *
 *     const ready = node.ready();
 *     1. write `hardState`, `snapshot` and `entries` to disk, synced if `mustSync`
 *     2. give `snapshot` and `entries` to the LogStorage
 *     3. send `messages` (those for which maySendBeforeSave is true may go out during step 1)
 *     4. apply `snapshot`, then `committedEntries`; for each membership change among them call applyConfChange
 *     5. node.advance(ready)
 *
 * One Ready is outstanding at a time. Meanwhile everything may go on: proposals, messages and ticks are taken at any
 * moment and show in the next Ready, so that all that comes during one disk write is the batch of the next one.
 * Committed entries below the first of `entries` are on disk already and may be applied during step 1.
 */
import { invariant } from "@conclave/base";
import { bootstrap, type InitialMember } from "./bootstrap.ts";
import { encodeConfChange, encodeConfChangeV2 } from "./conf-change.ts";
import type { RaftConfig } from "./config.ts";
import { toConfState } from "./configuration.ts";
import { maybeCampaign, maybeLead } from "./election.ts";
import type { Proposal } from "./entry.ts";
import { forwardProposal, forwardRead, forwardTransfer } from "./follower.ts";
import { onSnapshotStatus, onUnreachable } from "./leader.ts";
import { applyConfChange } from "./membership.ts";
import { maybeAutoLeave, proposeAtLeader } from "./proposal.ts";
import { Raft, type Role } from "./raft.ts";
import { acceptDeferredReads, acceptRead, startReadRound } from "./read-index.ts";
import type { Ready, SoftState } from "./ready.ts";
import { acknowledgeOwn, broadcastAppend, reduceUncommitted } from "./replication.ts";
import { dropped, type ProposeResult, type StepResult, taken } from "./results.ts";
import { type MemberProgress, progressOf, type RaftStatus, statusOf } from "./status.ts";
import { step, tick } from "./step.ts";
import { transferLeadership } from "./transfer.ts";
import type { ConfChange, ConfChangeV2, ConfState, HardState, Message } from "./types.ts";

/** One member of a Raft cluster, without disk, network or clock of its own. */
export interface RawNode {
  /** The state of the member now. */
  readonly status: RaftStatus;
  /** What the member is in its term. */
  readonly role: Role;
  /** The leader of the term, or 0n if it is not known. */
  readonly lead: bigint;
  /** The term. */
  readonly term: number;
  /** The membership in force. */
  readonly confState: ConfState;
  /** As leader: what it knows of each member, by ascending id; else undefined. */
  progress(): ReadonlyMap<bigint, MemberProgress> | undefined;

  /**
   * Writes the first membership of a new cluster into the empty log, as committed changes of term 1, one for each
   * member in the given order, which must be the same at every member.
   *
   * @throws RangeError if the log is not empty
   */
  bootstrap(members: readonly InitialMember[]): void;

  /** One tick of the clock. */
  tick(): void;
  /** Campaigns now, if the member may. */
  campaign(): StepResult;
  /** Takes a message from another member. Malformed ones are dropped. */
  step(message: Message): StepResult;
  /** Proposes a command. Costs the same however many were proposed since the last Ready. */
  propose(data: Uint8Array): ProposeResult;
  /** Proposes a change of the membership. */
  proposeConfChange(change: ConfChange | ConfChangeV2): ProposeResult;
  /**
   * Puts a committed change into force, between the Ready that brought it and its `advance`. A change that the
   * application refuses is applied with a `nodeId` of 0n in every place.
   *
   * @returns the membership after it, to be stored with the applied index
   */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState;
  /**
   * Asks for a linearizable read: a Ready will bring a `ReadState` with this context. Requests and answers
   * can be lost: ask again after a while. All reads asked for before one Ready share one round of messages.
   *
   * @param context - names the read; unique in the cluster
   */
  readIndex(context: Uint8Array): StepResult;
  /** Hands leadership over to a voter, wherever the leader is. Status shows when it is done. */
  transferLeadership(to: bigint): StepResult;
  /** The transport could not deliver to a member lately. */
  reportUnreachable(id: bigint): void;
  /** A snapshot was delivered to a member, or could not be. Must be called for every `MsgSnap` of a Ready. */
  reportSnapshot(id: bigint, status: "finish" | "failure"): void;

  /** Whether there is something to do, and no Ready is outstanding. */
  hasReady(): boolean;
  /** What is to be done. It is outstanding until `advance`. */
  ready(): Ready;
  /** Takes note that all of the outstanding Ready is done. */
  advance(ready: Ready): void;
}

/**
 * Creates a member from what its storage holds.
 *
 * @throws RangeError if the configuration is out of its bounds
 * @throws `RaftError` `INCONSISTENT_STATE` if the storage cannot be that of a member
 */
export function createRawNode(config: RaftConfig): RawNode {
  return new Node(config);
}

class Node implements RawNode {
  readonly #raft: Raft;
  #softState: SoftState;
  /** What was last handed out to be saved. */
  #hardState: HardState;
  #outstanding: Ready | undefined = undefined;
  /**
   * The last snapshot that came while entries were being applied. It brings a membership, and the changes among those
   * entries are for the one before.
   */
  #deferredSnapshot: Message | undefined = undefined;

  constructor(config: RaftConfig) {
    this.#raft = new Raft(config);
    this.#softState = { role: this.#raft.role, lead: this.#raft.lead };
    this.#hardState = this.#raft.hardState;
  }

  get status(): RaftStatus {
    return statusOf(this.#raft);
  }

  get role(): Role {
    return this.#raft.role;
  }

  get lead(): bigint {
    return this.#raft.lead;
  }

  get term(): number {
    return this.#raft.term;
  }

  get confState(): ConfState {
    return toConfState(this.#raft.tracker.configuration);
  }

  progress(): ReadonlyMap<bigint, MemberProgress> | undefined {
    return this.#raft.role === "leader" ? progressOf(this.#raft) : undefined;
  }

  bootstrap(members: readonly InitialMember[]): void {
    bootstrap(this.#raft, members);
  }

  tick(): void {
    tick(this.#raft);
  }

  campaign(): StepResult {
    return maybeCampaign(this.#raft, this.#raft.config.preVote ? "preElection" : "election");
  }

  step(message: Message): StepResult {
    if (message.type === "MsgSnap" && this.#isApplying) {
      this.#deferredSnapshot = message;
      return taken;
    }
    const result = step(this.#raft, message);
    acceptDeferredReads(this.#raft);
    return result;
  }

  get #isApplying(): boolean {
    return this.#outstanding !== undefined && this.#outstanding.committedEntries.length > 0;
  }

  propose(data: Uint8Array): ProposeResult {
    return this.#propose({ type: "normal", data });
  }

  proposeConfChange(change: ConfChange | ConfChangeV2): ProposeResult {
    return this.#propose(
      "changes" in change
        ? { type: "confChangeV2", data: encodeConfChangeV2(change) }
        : { type: "confChange", data: encodeConfChange(change) },
    );
  }

  #propose(proposal: Proposal): ProposeResult {
    if (this.#raft.role === "leader") return proposeAtLeader(this.#raft, proposal);
    return forwardProposal(this.#raft, [{ ...proposal, term: 0, index: 0 }]);
  }

  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    invariant(this.#isApplying, "a membership change is applied between the Ready that brought it and its advance");
    const confState = applyConfChange(this.#raft, change);
    acceptDeferredReads(this.#raft);
    return confState;
  }

  readIndex(context: Uint8Array): StepResult {
    if (this.#raft.role !== "leader") return forwardRead(this.#raft, { from: this.#raft.id, context });
    const reason = acceptRead(this.#raft, { from: this.#raft.id, context });
    return reason === undefined ? taken : dropped(reason);
  }

  transferLeadership(to: bigint): StepResult {
    if (this.#raft.role !== "leader") return forwardTransfer(this.#raft, to);
    return transferLeadership(this.#raft, to);
  }

  reportUnreachable(id: bigint): void {
    onUnreachable(this.#raft, id);
  }

  reportSnapshot(id: bigint, status: "finish" | "failure"): void {
    onSnapshotStatus(this.#raft, id, { failed: status === "failure" });
  }

  hasReady(): boolean {
    if (this.#outstanding !== undefined) return false;
    const { log, messages, readStates, readOnly, needsBroadcast } = this.#raft;
    return (
      needsBroadcast ||
      readOnly.needsRound ||
      messages.length > 0 ||
      readStates.length > 0 ||
      log.hasNextCommitted ||
      log.unstable.entries.length > 0 ||
      log.unstable.snapshot !== undefined ||
      this.#hardStateChange() !== undefined ||
      this.#softStateChange() !== undefined
    );
  }

  ready(): Ready {
    invariant(this.#outstanding === undefined, "one Ready is outstanding at a time");
    this.#flush();
    const ready = this.#collect();
    const { softState, hardState, committedEntries } = ready;
    const raft = this.#raft;
    raft.messages = [];
    raft.readStates = [];
    if (softState !== undefined) this.#softState = softState;
    if (hardState !== undefined) this.#hardState = hardState;
    const last = committedEntries.at(-1);
    if (last !== undefined) raft.log.acceptApplying(last.index);
    this.#outstanding = ready;
    return ready;
  }

  /** Says to the others what this turn has to say, once for all that happened in it. */
  #flush(): void {
    if (this.#raft.needsBroadcast) broadcastAppend(this.#raft);
    startReadRound(this.#raft);
  }

  #collect(): Ready {
    const { log, messages, readStates, config } = this.#raft;
    const { snapshot, entries } = log.unstable;
    const hardState = this.#hardStateChange();
    const { term, vote } = this.#hardState;
    return {
      softState: this.#softStateChange(),
      hardState,
      entries: entries.slice(),
      snapshot,
      committedEntries: log.nextCommitted(config.maxCommittedBytes),
      messages,
      readStates,
      mustSync:
        entries.length > 0 ||
        snapshot !== undefined ||
        (hardState !== undefined && (hardState.term !== term || hardState.vote !== vote)),
    };
  }

  advance(ready: Ready): void {
    invariant(this.#outstanding === ready, "the outstanding Ready is the one that is done");
    this.#outstanding = undefined;
    const raft = this.#raft;
    this.#acknowledgeDurable(ready);
    const applied = ready.committedEntries.at(-1)?.index ?? ready.snapshot?.metadata.index;
    if (applied !== undefined) {
      raft.log.appliedTo(applied);
      reduceUncommitted(raft, ready.committedEntries);
    }
    maybeLead(raft);
    acknowledgeOwn(raft);
    maybeAutoLeave(raft);
    acceptDeferredReads(raft);
    this.#takeDeferredSnapshot();
  }

  #takeDeferredSnapshot(): void {
    const message = this.#deferredSnapshot;
    this.#deferredSnapshot = undefined;
    if (message !== undefined) this.step(message);
  }

  #acknowledgeDurable(ready: Ready): void {
    const { hardState, entries, snapshot } = ready;
    const raft = this.#raft;
    if (hardState !== undefined) raft.durableTerm = hardState.term;
    if (snapshot !== undefined) raft.log.stableSnapshotTo(snapshot.metadata.index);
    const last = entries.at(-1);
    if (last !== undefined) raft.log.stableTo(last);
  }

  #softStateChange(): SoftState | undefined {
    const { role, lead } = this.#raft;
    return role === this.#softState.role && lead === this.#softState.lead ? undefined : { role, lead };
  }

  #hardStateChange(): HardState | undefined {
    const { term, vote, log } = this.#raft;
    const last = this.#hardState;
    if (term === last.term && vote === last.vote && log.committed === last.commit) return undefined;
    return this.#raft.hardState;
  }
}
