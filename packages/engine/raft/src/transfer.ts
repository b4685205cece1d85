/** @module Handing leadership over (thesis §3.10). */
import type { Raft } from "./raft.ts";
import { sendAppend } from "./replication.ts";
import { dropped, type StepResult, taken } from "./results.ts";

/**
 * Begins to hand leadership over: takes no more proposals, brings the member up to date, and then tells it to
 * campaign at once. Given up after an election timeout.
 */
export function transferLeadership(raft: Raft, transferee: bigint): StepResult {
  const progress = raft.tracker.progress.get(transferee);
  if (progress === undefined) return dropped("notMember");
  if (!raft.tracker.isVoter(transferee)) return dropped("refused", "a learner cannot lead");
  if (transferee === raft.id) return dropped("refused", "the member leads already");
  if (transferee === raft.leadTransferee) return taken;
  raft.electionElapsed = 0;
  raft.leadTransferee = transferee;
  if (!maybeCompleteTransfer(raft)) sendAppend(raft, transferee);
  return taken;
}

/** Tells the chosen member to campaign, if it has the whole log. */
export function maybeCompleteTransfer(raft: Raft): boolean {
  const progress = raft.tracker.progress.get(raft.leadTransferee);
  if (progress?.match !== raft.log.lastIndex) return false;
  raft.send("MsgTimeoutNow", raft.leadTransferee, {});
  return true;
}

/**
 * Lets a leader that is no voter any more hand over to the voter that has most of its log. Until then it goes on
 * leading members among which it does not count itself (thesis §4.2.2): if it just fell silent, the others might not
 * know that its removal is committed, and would go on asking for its vote.
 */
export function handOverIfRemoved(raft: Raft): void {
  if (raft.role !== "leader" || raft.leadTransferee !== 0n || raft.tracker.isVoter(raft.id)) return;
  let [best, match] = [0n, -1];
  for (const [id, progress] of raft.tracker.progress)
    if (raft.tracker.isVoter(id) && progress.match > match) [best, match] = [id, progress.match];
  transferLeadership(raft, best);
}
