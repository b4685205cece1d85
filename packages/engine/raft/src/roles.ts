/** @module The transitions between the roles (Raft paper §5.1, §5.2, figure 4). */
import { invariant } from "@conclave/base";
import type { Raft } from "./raft.ts";
import { appendNoOp } from "./replication.ts";

/** Starts afresh in a term: nobody leads, and in a new term nobody has the vote. */
function reset(raft: Raft, term: number): void {
  invariant(term >= raft.term, "the term goes forward", term, raft.term);
  if (term !== raft.term) {
    raft.term = term;
    raft.vote = 0n;
  }
  raft.lead = 0n;
  raft.leadTransferee = 0n;
  raft.pendingConfIndex = 0;
  raft.uncommittedBytes = 0;
  raft.needsBroadcast = false;
  raft.heartbeatElapsed = 0;
  raft.resetElectionTimeout();
  raft.tracker.resetVotes();
  raft.tracker.reset(raft.log.lastIndex);
  raft.readOnly.reset();
}

/** Follows a leader, or waits for one (0n). */
export function becomeFollower(raft: Raft, term: number, lead: bigint): void {
  reset(raft, term);
  raft.role = "follower";
  raft.lead = lead;
}

/** Asks whether an election could be won; term and vote stay as they are (thesis §9.6). */
export function becomePreCandidate(raft: Raft): void {
  invariant(raft.role !== "leader", "a leader does not campaign", raft.role);
  raft.role = "preCandidate";
  raft.lead = 0n;
  raft.resetElectionTimeout();
  raft.tracker.resetVotes();
}

/** Opens a term and votes for itself. */
export function becomeCandidate(raft: Raft): void {
  invariant(raft.role !== "leader", "a leader does not campaign", raft.role);
  reset(raft, raft.term + 1);
  raft.role = "candidate";
  raft.vote = raft.id;
}

/** Leads the term in which it was elected. */
export function becomeLeader(raft: Raft): void {
  invariant(raft.role === "candidate", "only a candidate becomes leader", raft.role);
  invariant(raft.tracker.voteResult === "won", "a leader has won its election", raft.term);
  invariant(raft.durableTerm === raft.term, "a leader's term is durable", raft.durableTerm, raft.term);
  invariant(raft.log.unstable.snapshot === undefined, "a leader has its log at hand");
  const { lastIndex, stableIndex } = raft.log;
  reset(raft, raft.term);
  raft.role = "leader";
  raft.lead = raft.id;
  // Changes in the log that are not yet applied are not known of: as if the last entry were one.
  raft.pendingConfIndex = lastIndex;
  const own = raft.tracker.progress.get(raft.id);
  invariant(own !== undefined, "a leader is a member when it is elected");
  own.becomeReplicate();
  own.recentActive = true;
  own.maybeUpdate(stableIndex);
  appendNoOp(raft);
}
