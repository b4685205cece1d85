import type { ProgressState } from "./progress.ts";
import type { Raft } from "./raft.ts";
import type { SoftState } from "./ready.ts";

/** What a leader knows of a member. */
export interface MemberProgress {
  /** The highest index known to be on the member's disk. */
  readonly match: number;
  /** The next index to send. */
  readonly next: number;
  /** How entries are sent. */
  readonly state: ProgressState;
  /** Whether it has been heard of since the quorum was last checked. */
  readonly recentActive: boolean;
  /** Whether it does not vote. */
  readonly isLearner: boolean;
  /** Appends in flight. */
  readonly inflights: number;
}

/** The state of the member at one moment. */
export interface RaftStatus extends SoftState {
  /** The member. */
  readonly id: bigint;
  /** Its term. */
  readonly term: number;
  /** Who got its vote in the term, or 0n. */
  readonly vote: bigint;
  /** The highest index known to be committed. */
  readonly commit: number;
  /** The highest index that is applied, as of the last `advance`. */
  readonly applied: number;
  /** The last index of the log. */
  readonly lastIndex: number;
  /** The member to which leadership is being handed over, or 0n. */
  readonly leadTransferee: bigint;
}

/** The state of the member now. */
export function statusOf(raft: Raft): RaftStatus {
  const { id, role, lead, term, vote, leadTransferee, log } = raft;
  const { committed: commit, applied, lastIndex } = log;
  return { id, role, lead, term, vote, commit, applied, lastIndex, leadTransferee };
}

/** What a leader knows of each member. */
export function progressOf(raft: Raft): ReadonlyMap<bigint, MemberProgress> {
  const { tracker } = raft;
  const members = new Map<bigint, MemberProgress>();
  for (const [id, { match, next, state, recentActive, inflights }] of tracker.progress) {
    const isLearner = !tracker.isVoter(id);
    members.set(id, { match, next, state, recentActive, isLearner, inflights: inflights.count });
  }
  return members;
}
