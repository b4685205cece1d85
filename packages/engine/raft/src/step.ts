/** @module A message's way to the rule that handles it: first by its term, then by the member's role (§5.1). */
import { isLeaderActive, maybeCampaign, onVoteRequest, recordVote } from "./election.ts";
import {
  forwardProposal,
  forwardRead,
  forwardTransfer,
  onAppend,
  onHeartbeat,
  onReadIndexResponse,
  onSnapshot,
  onTimeoutNow,
} from "./follower.ts";
import { stepLeader, tickLeader } from "./leader.ts";
import { isResponse, isTermless, malformation, readContext } from "./message.ts";
import { proposeForwarded } from "./proposal.ts";
import type { Raft } from "./raft.ts";
import { dropped, type ProposeResult, type StepResult, taken } from "./results.ts";
import { becomeFollower } from "./roles.ts";
import type { Message } from "./types.ts";

/** Handles a message from another member. */
export function step(raft: Raft, message: Message): StepResult {
  const { type, from } = message;
  const flaw = malformation(message, raft.id);
  if (flaw !== undefined) return dropped("malformed", flaw);
  // Requests are taken from anyone: this member may not know yet that the sender has joined.
  if (isResponse(type) && !raft.tracker.progress.has(from) && from !== raft.lead) return dropped("notMember");
  if (isTermless(type)) return stepTermless(raft, message);
  if (message.term > raft.term) return stepHigherTerm(raft, message);
  if (message.term < raft.term) return stepLowerTerm(raft, message);
  return stepSameTerm(raft, message);
}

/** Proposals, reads and wishes, which belong to no term. */
function stepTermless(raft: Raft, message: Message): StepResult {
  if (raft.role === "leader") {
    if (message.type !== "MsgProp") return stepLeader(raft, message);
    return asStepResult(proposeForwarded(raft, message.entries));
  }
  switch (message.type) {
    case "MsgProp":
      return asStepResult(forwardProposal(raft, message.entries));
    case "MsgTransferLeader":
      return forwardTransfer(raft, message.from);
    case "MsgReadIndex":
      return forwardRead(raft, { from: message.from, context: readContext(message) });
    default:
      return dropped("stale");
  }
}

/** A higher term ends this one (§5.1), with the exceptions that keep the peace (thesis §4.2.3, §9.6). */
function stepHigherTerm(raft: Raft, message: Message): StepResult {
  switch (message.type) {
    case "MsgPreVote":
      // No term has begun yet: the sender only asks.
      return isLeaderActive(raft, message) ? dropped("leaderActive") : onVoteRequest(raft, message);
    case "MsgVote":
      if (isLeaderActive(raft, message)) return dropped("leaderActive");
      becomeFollower(raft, message.term, 0n);
      return onVoteRequest(raft, message);
    case "MsgPreVoteResp":
      // Granted in the term that was asked for, which begins only if the pre-vote is won.
      if (!message.reject) return onPreVoteResponse(raft, message);
      becomeFollower(raft, message.term, 0n);
      return taken;
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      becomeFollower(raft, message.term, message.from);
      return stepSameTerm(raft, message);
    default:
      becomeFollower(raft, message.term, 0n);
      return stepSameTerm(raft, message);
  }
}

/** A lower term is over: its messages change nothing, but their senders may need to be told (§5.1). */
function stepLowerTerm(raft: Raft, message: Message): StepResult {
  const { type, from } = message;
  const { checkQuorum, preVote } = raft.config;
  if ((type === "MsgApp" || type === "MsgHeartbeat") && (checkQuorum || preVote)) {
    // A leader that was cut off. This member may be one whose votes are refused, so its term is the only way to
    // tell; any answer in it makes the old leader step down.
    raft.send("MsgAppResp", from, {});
  } else if (type === "MsgPreVote") {
    // With pre-vote only, a candidate behind in term would otherwise never learn of it.
    raft.send("MsgPreVoteResp", from, { reject: true });
  }
  return dropped("stale");
}

function stepSameTerm(raft: Raft, message: Message): StepResult {
  if (message.type === "MsgVote" || message.type === "MsgPreVote") return onVoteRequest(raft, message);
  switch (raft.role) {
    case "leader":
      return stepLeader(raft, message);
    case "candidate":
      if (message.type === "MsgVoteResp") return onVoteResponse(raft, message);
      return stepNonLeader(raft, message);
    case "preCandidate":
      if (message.type === "MsgPreVoteResp") return onPreVoteResponse(raft, message);
      return stepNonLeader(raft, message);
    case "follower":
      return stepNonLeader(raft, message);
  }
}

/** The messages of the term's leader; a candidate that gets one has lost (§5.2). */
function stepNonLeader(raft: Raft, message: Message): StepResult {
  switch (message.type) {
    case "MsgApp":
      follow(raft, message);
      return onAppend(raft, message);
    case "MsgHeartbeat":
      follow(raft, message);
      return onHeartbeat(raft, message);
    case "MsgSnap":
      follow(raft, message);
      return onSnapshot(raft, message);
    case "MsgTimeoutNow":
      return raft.role === "follower" ? onTimeoutNow(raft) : dropped("stale");
    case "MsgReadIndexResp":
      return onReadIndexResponse(raft, message);
    default:
      return dropped("stale");
  }
}

function follow(raft: Raft, message: Message): void {
  if (raft.role !== "follower") becomeFollower(raft, raft.term, message.from);
}

function onVoteResponse(raft: Raft, message: Message): StepResult {
  recordVote(raft, message.from, !message.reject);
  return taken;
}

function onPreVoteResponse(raft: Raft, message: Message): StepResult {
  // A grant names the term that was asked for: one of an earlier round is stale.
  const expected = message.reject ? raft.term : raft.term + 1;
  if (raft.role !== "preCandidate" || message.term !== expected) return dropped("stale");
  recordVote(raft, message.from, !message.reject);
  return taken;
}

function asStepResult(result: ProposeResult): StepResult {
  return result.kind === "dropped" ? result : taken;
}

/** One tick of the member's clock. */
export function tick(raft: Raft): void {
  if (raft.role === "leader") tickLeader(raft);
  else tickElection(raft);
}

function tickElection(raft: Raft): void {
  raft.electionElapsed++;
  if (raft.electionElapsed < raft.randomizedElectionTicks || !raft.tracker.isVoter(raft.id)) return;
  raft.electionElapsed = 0;
  maybeCampaign(raft, raft.config.preVote ? "preElection" : "election");
}
