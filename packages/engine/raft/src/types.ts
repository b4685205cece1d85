/**
 * @module The words of the Raft paper as data. Every type maps field by field on its namesake in `raftpb`, so the
 * WAL and the peer protocol convert without thinking. 64-bit ids are `bigint` (0n: none); term and index are safe
 * integers (0: none, the first entry has index 1).
 */

/** What an entry holds: a command of the state machine or a change of the membership (one or several members). */
export type EntryType = "normal" | "confChange" | "confChangeV2";

/** One position of the replicated log (Raft paper §5.3). Immutable; `data` is shared, never copied. */
export interface Entry {
  /** How `data` is to be read. */
  readonly type: EntryType;
  /** The term of the leader that created the entry. */
  readonly term: number;
  /** The position in the log, from 1. */
  readonly index: number;
  /** The command, opaque to Raft; empty for the entry with which a leader opens its term. */
  readonly data: Uint8Array;
}

/** What a member must have on disk before it answers anyone (Raft paper figure 2; commit only saves time). */
export interface HardState {
  /** The latest term the member has seen. */
  readonly term: number;
  /** The candidate that got the member's vote in `term`, or 0n. */
  readonly vote: bigint;
  /** The highest index known to be committed. */
  readonly commit: number;
}

/** The membership in force at some index of the log (Raft paper §6). Ids are unique and ascending in each list. */
export interface ConfState {
  /** The members that vote; of the incoming configuration while it is joint. */
  readonly voters: readonly bigint[];
  /** The members that receive the log and do not vote. */
  readonly learners: readonly bigint[];
  /** The voters of the outgoing configuration; empty unless the configuration is joint. */
  readonly votersOutgoing: readonly bigint[];
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly bigint[];
  /** Whether the leader leaves the joint configuration by itself as soon as it may. */
  readonly autoLeave: boolean;
}

/** What a snapshot replaces: the log up to and including `index`. */
export interface SnapshotMetadata {
  /** The last entry the snapshot includes. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /** The membership after that entry was applied. */
  readonly confState: ConfState;
}

/** A state of the state machine (Raft paper §7). */
export interface Snapshot {
  /** The state, opaque to Raft. */
  readonly data: Uint8Array;
  /** The place of the state in the log. */
  readonly metadata: SnapshotMetadata;
}

/** The kinds of {@link Message}, named as in `raftpb.MessageType`. */
export type MessageType =
  | "MsgHup"
  | "MsgBeat"
  | "MsgProp"
  | "MsgApp"
  | "MsgAppResp"
  | "MsgVote"
  | "MsgVoteResp"
  | "MsgSnap"
  | "MsgHeartbeat"
  | "MsgHeartbeatResp"
  | "MsgUnreachable"
  | "MsgSnapStatus"
  | "MsgCheckQuorum"
  | "MsgTransferLeader"
  | "MsgTimeoutNow"
  | "MsgReadIndex"
  | "MsgReadIndexResp"
  | "MsgPreVote"
  | "MsgPreVoteResp"
  | "MsgForgetLeader";

/**
 * A message between members. Flat, like `raftpb.Message`: what a field means depends on the type, and a field a
 * type does not use is zero. (`vote` and `responses` of `raftpb.Message` serve storage threads inside a process;
 * they never travel and have no counterpart here.)
 */
export interface Message {
  /** What is said. */
  readonly type: MessageType;
  /** The receiver. */
  readonly to: bigint;
  /** The sender. */
  readonly from: bigint;
  /** The sender's term; 0 for proposals and reads that are forwarded, which belong to no term. */
  readonly term: number;
  /** Append: term of the entry before `entries`. Votes: term of the candidate's last entry. Rejection: a hint. */
  readonly logTerm: number;
  /** Append: index before `entries`. Append response: last index accepted or rejected. Votes: last index. */
  readonly index: number;
  /** Append and proposals: the entries, contiguous. */
  readonly entries: readonly Entry[];
  /** The sender's commit index. */
  readonly commit: number;
  /** Snapshot messages only. */
  readonly snapshot?: Snapshot | undefined;
  /** Responses: whether the request was refused. Snapshot status: whether the transfer failed. */
  readonly reject: boolean;
  /** Rejected appends: the highest index at which the follower's log may agree with the leader's. */
  readonly rejectHint: number;
  /** Reads: the request's name. Votes: `CampaignTransfer` when the old leader asked for the election. */
  readonly context: Uint8Array;
}

/** What a change of the membership does with one member. `updateNode` changes nothing that Raft knows of. */
export type ConfChangeType = "addNode" | "removeNode" | "updateNode" | "addLearnerNode";

/** One member's part in a change of the membership. A `nodeId` of 0n makes it do nothing. */
export interface ConfChangeSingle {
  /** What to do. */
  readonly type: ConfChangeType;
  /** The member. */
  readonly nodeId: bigint;
}

/** A change of one member, the payload of entries of type `confChange`. */
export interface ConfChange extends ConfChangeSingle {
  /** A number by which the proposer recognises its change; opaque to Raft. */
  readonly id: bigint;
  /** What the application needs to know of the member; opaque to Raft. */
  readonly context: Uint8Array;
}

/**
 * How a joint configuration is entered and left. `auto`: only when more than one voter changes, and left by
 * itself; `jointImplicit`: always, and left by itself; `jointExplicit`: always, and left by an empty change.
 */
export type ConfChangeTransition = "auto" | "jointImplicit" | "jointExplicit";

/** A change of any number of members at once, the payload of entries of type `confChangeV2`. */
export interface ConfChangeV2 {
  /** Whether and how to go through a joint configuration. */
  readonly transition: ConfChangeTransition;
  /** The members; empty: leave the joint configuration. */
  readonly changes: readonly ConfChangeSingle[];
  /** What the application needs to know; opaque to Raft. */
  readonly context: Uint8Array;
}
