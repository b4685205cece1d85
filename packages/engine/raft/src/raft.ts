import { invariant } from "@conclave/base";
import { type RaftConfig, type ResolvedRaftConfig, resolveConfig } from "./config.ts";
import { fromConfState } from "./configuration.ts";
import { RaftError } from "./errors.ts";
import { RaftLog } from "./log.ts";
import { createMessage, type MessageFields } from "./message.ts";
import { ProgressTracker } from "./progress-tracker.ts";
import { ReadOnly } from "./read-only.ts";
import type { HardState, Message, MessageType } from "./types.ts";

/** What a member is in its term. A pre-candidate asks whether it could win before it opens a term (thesis §9.6). */
export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** A read that may be served once the state machine has applied `index`. */
export interface ReadState {
  /** What must be applied first. */
  readonly index: number;
  /** The name given to the read. */
  readonly context: Uint8Array;
}

/**
 * The state of a member (Raft paper figure 2). It only holds what the rules work on; the rules are functions in
 * modules named after what they are about: `election`, `replication`, `read-index`, `membership`, and one for each
 * role. Nothing outside this package sees it.
 */
export class Raft {
  readonly config: ResolvedRaftConfig;
  readonly id: bigint;
  readonly log: RaftLog;
  readonly tracker: ProgressTracker;
  readonly readOnly: ReadOnly = new ReadOnly();

  term = 0;
  /** Who got the vote in `term`, or 0n. */
  vote = 0n;
  role: Role = "follower";
  /** The leader of `term`, or 0n if unknown. */
  lead = 0n;

  /** The term that is known to be on disk, together with the vote in it. */
  durableTerm: number;

  /** Leader: the member that leadership is being handed to, or 0n. */
  leadTransferee = 0n;
  /** Leader: there is at most one unapplied membership change in the log, and it is not after this index. */
  pendingConfIndex = 0;
  /** Leader: bytes of commands appended in this term and not yet applied. */
  uncommittedBytes = 0;
  /** Leader: whether there is something to tell all followers; it is told once per Ready. */
  needsBroadcast = false;

  /** Ticks since the role began, a leader was heard, or (leader) the quorum was last checked. */
  electionElapsed = 0;
  /** Leader: ticks since the last heartbeat. */
  heartbeatElapsed = 0;
  /** This election's timeout in ticks. */
  randomizedElectionTicks = 0;

  /** What waits to be sent. */
  messages: Message[] = [];
  /** Confirmed reads that wait to be handed out. */
  readStates: ReadState[] = [];

  constructor(config: RaftConfig) {
    this.config = resolveConfig(config);
    this.id = config.id;
    this.log = new RaftLog(config.storage);
    const { maxInflightMessages, maxInflightBytes } = this.config;
    this.tracker = new ProgressTracker({ messages: maxInflightMessages, bytes: maxInflightBytes });
    const { hardState, confState } = config.storage.initialState();
    this.tracker.reconfigure(fromConfState(confState), this.log.lastIndex);
    this.durableTerm = hardState.term;
    this.#restart(hardState, config.applied);
  }

  #restart(hardState: HardState, applied: number | undefined): void {
    const { committed, lastIndex } = this.log;
    const commit = Math.max(hardState.commit, committed);
    if (commit > lastIndex) throw inconsistent(`commit ${commit} is after the last entry ${lastIndex}`);
    if (applied !== undefined && (applied < committed || applied > commit))
      throw inconsistent(`applied ${applied} is not between the snapshot ${committed} and commit ${commit}`);
    // A crash between the writes of entries and of the hard state leaves entries of a term that the latter does not
    // know. The member had not voted in that term, or its hard state would have been written before.
    const lastTerm = this.log.lastEntryId.term;
    this.term = Math.max(hardState.term, lastTerm);
    this.vote = hardState.term < lastTerm ? 0n : hardState.vote;
    this.log.commitTo(commit);
    if (applied !== undefined) this.log.appliedTo(applied);
    this.resetElectionTimeout();
  }

  /** Draws the next election's timeout. */
  resetElectionTimeout(): void {
    const { electionTicks, random } = this.config;
    this.electionElapsed = 0;
    this.randomizedElectionTicks = electionTicks + random.below(electionTicks);
  }

  /** What must be on disk before anyone is answered. */
  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Whether the member may campaign: a voter with its log at hand. */
  get isPromotable(): boolean {
    return this.tracker.isVoter(this.id) && this.log.unstable.snapshot === undefined;
  }

  /** Whether no one else's voice is needed for a majority. */
  get isOnlyVoter(): boolean {
    const { incoming, outgoing } = this.tracker.configuration.voters;
    return incoming.size === 1 && incoming.has(this.id) && outgoing.size === 0;
  }

  /** Queues a message of this term. */
  send(type: MessageType, to: bigint, fields: MessageFields): void {
    this.sendInTerm(this.term, type, to, fields);
  }

  /** Queues a message of a term that is not this one; 0 for what belongs to no term. */
  sendInTerm(term: number, type: MessageType, to: bigint, fields: MessageFields): void {
    invariant(to !== this.id && to !== 0n, "a member does not write to itself", to, type);
    this.messages.push(createMessage({ type, to, from: this.id }, { ...fields, term }));
  }
}

function inconsistent(what: string): RaftError {
  return new RaftError("INCONSISTENT_STATE", `Cannot restart as the stored state contradicts itself: ${what}`);
}
