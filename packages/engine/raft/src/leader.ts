/** @module What a leader does with the answers of its followers and on its clock (Raft paper §5.3, thesis §3.10). */
import { invariant } from "@conclave/base";
import { readContext } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { acceptRead, heartbeatContext, onReadRoundAnswer } from "./read-index.ts";
import { broadcastHeartbeat, maybeCommit, sendAppend, sendNews } from "./replication.ts";
import { dropped, type StepResult, taken } from "./results.ts";
import { becomeFollower } from "./roles.ts";
import { handOverIfRemoved, maybeCompleteTransfer, transferLeadership } from "./transfer.ts";
import type { Message } from "./types.ts";

/** A member of which the leader keeps a progress. */
interface Peer {
  readonly id: bigint;
  readonly progress: Progress;
}

/** Handles a message of the leader's term. */
export function stepLeader(raft: Raft, message: Message): StepResult {
  switch (message.type) {
    case "MsgAppResp":
    case "MsgHeartbeatResp":
      return onResponse(raft, message);
    case "MsgReadIndex":
      return onForwardedRead(raft, message);
    case "MsgTransferLeader":
      return transferLeadership(raft, message.from);
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      return refuseRival(message);
    default:
      return dropped("stale");
  }
}

/** Two leaders in one term: the vote of some member was lost, and nothing is safe any more. */
function refuseRival(message: Message): never {
  invariant(false, "a term has one leader (§5.2)", message.from, message.term);
}

function onResponse(raft: Raft, message: Message): StepResult {
  const { from } = message;
  const progress = raft.tracker.progress.get(from);
  if (progress === undefined) return dropped("notMember");
  progress.recentActive = true;
  const peer: Peer = { id: from, progress };
  if (message.type === "MsgHeartbeatResp") return onHeartbeatResponse(raft, peer, message);
  if (message.reject) return onRejectedAppend(raft, peer, message);
  return onAcceptedAppend(raft, peer, message);
}

function onHeartbeatResponse(raft: Raft, peer: Peer, message: Message): StepResult {
  const { progress } = peer;
  progress.isThrottled = false;
  // What is in flight may have been lost: the answer to one more append, if empty, will tell.
  if (progress.match < raft.log.lastIndex || progress.state === "probe") sendAppend(raft, peer.id);
  onReadRoundAnswer(raft, peer.id, message.context);
  return taken;
}

/**
 * The logs do not agree where the append began: probes further back. The follower named the last index at which
 * they may agree and its term there; the leader's log can rule out more. Each round skips a whole term:
 *
 *     index      1 2 3 4 5 6 7 8 9
 *     leader     1 1 1 3 3 3 5 5 5      rejected after index 9
 *     follower   1 1 1 2 2 2 2          hint: index 7, term 2 → the leader's last index of term <= 2 is 3
 */
function onRejectedAppend(raft: Raft, peer: Peer, message: Message): StepResult {
  const { progress } = peer;
  // A follower without the term of the hint (logTerm 0) has compacted it: only the index is of use.
  const hint =
    message.logTerm > 0
      ? raft.log.findConflictByTerm({ index: Math.min(message.rejectHint, raft.log.lastIndex), term: message.logTerm })
          .index
      : message.rejectHint;
  if (!progress.maybeDecrease(message.index, hint)) return taken;
  if (progress.state === "replicate") progress.becomeProbe();
  sendAppend(raft, peer.id);
  return taken;
}

function onAcceptedAppend(raft: Raft, peer: Peer, message: Message): StepResult {
  const { progress } = peer;
  const { index } = message;
  if (index > raft.log.lastIndex) return dropped("malformed", `the log ends before ${index}`);
  // An answer to a probe counts even if it is no news: the logs are known to agree now.
  const isNews = progress.maybeUpdate(index) || (progress.match === index && progress.state === "probe");
  if (!isNews) return taken;
  advanceState(raft, progress);
  maybeCommit(raft);
  // A commit goes out to all with the next Ready; without one only this member may have room for more now.
  if (!raft.needsBroadcast) sendNews(raft, peer.id);
  if (peer.id === raft.leadTransferee) maybeCompleteTransfer(raft);
  return taken;
}

function advanceState(raft: Raft, progress: Progress): void {
  switch (progress.state) {
    case "probe":
      progress.becomeReplicate();
      break;
    case "replicate":
      progress.inflights.freeUpTo(progress.match);
      break;
    case "snapshot":
      // The log can go on from there: by this snapshot, or by one that came to the follower another way.
      if (progress.match + 1 >= raft.log.firstIndex) progress.becomeReplicate();
  }
}

function onForwardedRead(raft: Raft, message: Message): StepResult {
  const reason = acceptRead(raft, { from: message.from, context: readContext(message) });
  return reason === undefined ? taken : dropped(reason);
}

/** The transport says that a member could not be reached: what was in flight may be lost. */
export function onUnreachable(raft: Raft, id: bigint): void {
  const progress = raft.tracker.progress.get(id);
  if (progress?.state === "replicate") progress.becomeProbe();
}

/** The transport says how sending a snapshot ended. */
export function onSnapshotStatus(raft: Raft, id: bigint, options: { failed: boolean }): void {
  const progress = raft.tracker.progress.get(id);
  if (progress?.state !== "snapshot") return;
  if (options.failed) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  // Arrived, it will be answered; failed, the next try waits for a sign of life.
  progress.isThrottled = true;
}

/** Whether a quorum has been heard of lately. A leader that is no voter any more must always hear one. */
function isStillLeading(raft: Raft): boolean {
  const isQuorumActive = raft.tracker.takeQuorumActive(raft.id);
  return isQuorumActive || (!raft.config.checkQuorum && raft.tracker.isVoter(raft.id));
}

/** One tick of a leader's clock: heartbeats, and once per election timeout a check that a quorum still listens. */
export function tickLeader(raft: Raft): void {
  raft.heartbeatElapsed++;
  raft.electionElapsed++;
  if (raft.electionElapsed >= raft.config.electionTicks) {
    raft.electionElapsed = 0;
    // Leadership that was not taken over by now stays, so that proposals can go on (thesis §3.10).
    raft.leadTransferee = 0n;
    handOverIfRemoved(raft);
    if (!isStillLeading(raft)) {
      becomeFollower(raft, raft.term, 0n);
      return;
    }
  }
  if (raft.heartbeatElapsed >= raft.config.heartbeatTicks) {
    raft.heartbeatElapsed = 0;
    broadcastHeartbeat(raft, heartbeatContext(raft));
  }
}
