/** @module Elections: asking for votes, giving them, counting them (Raft paper §5.2, §5.4.1; thesis §4.2.3, §9.6). */
import { equalBytes, invariant } from "@conclave/base";
import { campaignTransfer } from "./message.ts";
import type { Raft } from "./raft.ts";
import { dropped, type StepResult, taken } from "./results.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";
import type { Message } from "./types.ts";

/**
 * How a member campaigns: by asking first (`preElection`), at once (`election`), or at once and on behalf of the old
 * leader, so that members who still hear that one do vote (`transfer`, thesis §3.10).
 */
export type CampaignType = "preElection" | "election" | "transfer";

/** Campaigns if the member may. */
export function maybeCampaign(raft: Raft, type: CampaignType): StepResult {
  if (raft.role === "leader") return dropped("stale", "the member leads already");
  if (!raft.tracker.isVoter(raft.id)) return dropped("notMember", "only a voter campaigns");
  if (!raft.isPromotable) return dropped("refused", "a snapshot is being restored");
  // A leader must know the membership in force up to what is committed (thesis §4.1).
  if (hasUnappliedConfChange(raft)) return dropped("confChangePending");
  campaign(raft, type);
  return taken;
}

function hasUnappliedConfChange(raft: Raft): boolean {
  const { applied, committed } = raft.log;
  const { maxCommittedBytes } = raft.config;
  for (let start = applied + 1; start <= committed; ) {
    const entries = raft.log.entries({ start, end: committed + 1 }, maxCommittedBytes);
    invariant(entries !== undefined, "what is not applied is not compacted", start, raft.log.firstIndex);
    if (entries.some((entry) => entry.type !== "normal")) return true;
    start += entries.length;
  }
  return false;
}

function campaign(raft: Raft, type: CampaignType): void {
  if (type === "preElection") becomePreCandidate(raft);
  else becomeCandidate(raft);
  requestVotes(raft, type);
  recordVote(raft, raft.id, true);
}

function requestVotes(raft: Raft, type: CampaignType): void {
  const last = raft.log.lastEntryId;
  const fields = { index: last.index, logTerm: last.term };
  for (const id of raft.tracker.progress.keys()) {
    if (id === raft.id || !raft.tracker.isVoter(id)) continue;
    if (type === "preElection") raft.sendInTerm(raft.term + 1, "MsgPreVote", id, fields);
    else raft.send("MsgVote", id, type === "transfer" ? { ...fields, context: campaignTransfer } : fields);
  }
}

/** Counts an answer of the election under way, and draws the conclusion. */
export function recordVote(raft: Raft, from: bigint, granted: boolean): void {
  raft.tracker.recordVote(from, granted);
  switch (raft.tracker.voteResult) {
    case "pending":
      return;
    case "lost":
      becomeFollower(raft, raft.term, 0n);
      return;
    case "won":
      if (raft.role === "preCandidate") campaign(raft, "election");
      else maybeLead(raft);
  }
}

/**
 * Lets a candidate that has won lead, once its term, which it opened with a vote for itself, is on disk: the others'
 * answers can be faster than that, and a leader that forgot its term could vote for a second one.
 */
export function maybeLead(raft: Raft): void {
  const isDurable = raft.durableTerm === raft.term;
  if (raft.role === "candidate" && isDurable && raft.tracker.voteResult === "won") becomeLeader(raft);
}

/** Whether a vote is asked while a leader is heard, which must not unsettle it (thesis §4.2.3). */
export function isLeaderActive(raft: Raft, message: Message): boolean {
  if (equalBytes(message.context, campaignTransfer)) return false;
  const { checkQuorum, electionTicks } = raft.config;
  return checkQuorum && raft.lead !== 0n && raft.electionElapsed < electionTicks;
}

/**
 * Answers a request for a vote. The vote goes to one candidate a term, and only to one whose log is at least as
 * up-to-date (§5.4.1). A pre-vote is a promise of nothing, so it may go to any number.
 *
 * Learners answer too: whoever asks may know of their promotion before they do.
 */
export function onVoteRequest(raft: Raft, message: Message): StepResult {
  const { type, from, index, logTerm } = message;
  const isPreVote = type === "MsgPreVote";
  const responseType = isPreVote ? "MsgPreVoteResp" : "MsgVoteResp";
  const isFree =
    raft.vote === from || (raft.vote === 0n && raft.lead === 0n) || (isPreVote && message.term > raft.term);
  if (!isFree || !raft.log.isUpToDate({ index, term: logTerm })) {
    raft.send(responseType, from, { reject: true });
    return taken;
  }
  // A pre-vote is granted in the term that is asked for: the candidate's own is the one before.
  raft.sendInTerm(message.term, responseType, from, {});
  if (!isPreVote) {
    raft.electionElapsed = 0;
    raft.vote = from;
  }
  return taken;
}
