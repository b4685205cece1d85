import { committedIndex, type VoteResult, voteResult } from "./quorum.ts";

/**
 * The voters of a configuration. While it is joint, every decision takes a majority of both halves (§6); else
 * `outgoing` is empty.
 */
export interface JointVoters {
  /** The voters, or the new voters while the configuration is joint. */
  readonly incoming: ReadonlySet<bigint>;
  /** The old voters while the configuration is joint. */
  readonly outgoing: ReadonlySet<bigint>;
}

/** Whether the member votes in either half. */
export function isVoter(voters: JointVoters, id: bigint): boolean {
  return voters.incoming.has(id) || voters.outgoing.has(id);
}

/** The highest index that is committed in both halves. */
export function jointCommittedIndex(voters: JointVoters, match: (voter: bigint) => number): number {
  return Math.min(committedIndex(voters.incoming, match), committedIndex(voters.outgoing, match));
}

/** How an election stands: won if won in both halves, lost if lost in one. */
export function jointVoteResult(voters: JointVoters, vote: (voter: bigint) => boolean | undefined): VoteResult {
  const incoming = voteResult(voters.incoming, vote);
  const outgoing = voteResult(voters.outgoing, vote);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}
