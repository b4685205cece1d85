/** @module What a follower does with messages of its term (Raft paper §5.2, §5.3, §7). */
import { invariant } from "@conclave/base";
import { maybeCampaign } from "./election.ts";
import { maybeRestore } from "./membership.ts";
import { createMessage, readContext, readEntries } from "./message.ts";
import type { Raft } from "./raft.ts";
import type { ReadRequest } from "./read-only.ts";
import { dropped, type ProposeResult, type StepResult, taken } from "./results.ts";
import type { Entry, Message } from "./types.ts";

/** Follows whoever sent a message that only the term's leader sends. */
function hear(raft: Raft, leader: bigint): void {
  invariant(raft.lead === 0n || raft.lead === leader, "a term has one leader (§5.2)", raft.lead, leader, raft.term);
  raft.electionElapsed = 0;
  raft.lead = leader;
}

/** Appends what the leader sent, if the logs agree before it, or says where they may. */
export function onAppend(raft: Raft, message: Message): StepResult {
  hear(raft, message.from);
  const { from, index, logTerm, entries, commit } = message;
  const { committed } = raft.log;
  if (index < committed) {
    // Stale: what is committed here is the leader's log too.
    raft.send("MsgAppResp", from, { index: committed });
    return taken;
  }
  const last = raft.log.maybeAppend({ previous: { index, term: logTerm }, entries, commit });
  if (last !== undefined) raft.send("MsgAppResp", from, { index: last });
  else rejectAppend(raft, message);
  return taken;
}

/** Tells the leader the highest index at which the logs may agree, so that it skips whole terms (§5.3). */
function rejectAppend(raft: Raft, message: Message): void {
  const { from, index, logTerm } = message;
  const hint = raft.log.findConflictByTerm({ index: Math.min(index, raft.log.lastIndex), term: logTerm });
  raft.send("MsgAppResp", from, { index, reject: true, rejectHint: hint.index, logTerm: hint.term });
}

/** Answers a heartbeat, and learns what is committed. */
export function onHeartbeat(raft: Raft, message: Message): StepResult {
  hear(raft, message.from);
  raft.log.commitTo(message.commit);
  raft.send("MsgHeartbeatResp", message.from, { context: message.context });
  return taken;
}

/** Restores a snapshot, or says that it has what the snapshot holds. */
export function onSnapshot(raft: Raft, message: Message): StepResult {
  const { snapshot, from } = message;
  if (snapshot === undefined) return dropped("malformed", "the snapshot is missing");
  hear(raft, from);
  const index = maybeRestore(raft, snapshot) ? raft.log.lastIndex : raft.log.committed;
  raft.send("MsgAppResp", from, { index });
  return taken;
}

/** Campaigns at once: the leader hands over (thesis §3.10). */
export function onTimeoutNow(raft: Raft): StepResult {
  return maybeCampaign(raft, "transfer");
}

/** Sends proposals on to the leader. */
export function forwardProposal(raft: Raft, entries: readonly Entry[]): ProposeResult {
  if (raft.lead === 0n || !raft.config.forwardProposals) return dropped("noLeader");
  raft.sendInTerm(0, "MsgProp", raft.lead, { entries });
  return { kind: "forwarded", to: raft.lead };
}

/** Sends a read on to the leader, which answers to whoever asked first. */
export function forwardRead(raft: Raft, request: ReadRequest): StepResult {
  const { from, context } = request;
  if (raft.lead === 0n) return dropped("noLeader");
  raft.messages.push(createMessage({ type: "MsgReadIndex", to: raft.lead, from }, { entries: readEntries(context) }));
  return taken;
}

/** Sends a request to hand over leadership on to the leader. */
export function forwardTransfer(raft: Raft, transferee: bigint): StepResult {
  if (raft.lead === 0n) return dropped("noLeader");
  // The sender of this message is, by the protocol, the member that is to lead.
  raft.messages.push(createMessage({ type: "MsgTransferLeader", to: raft.lead, from: transferee }, {}));
  return taken;
}

/** Takes the leader's answer to a read. */
export function onReadIndexResponse(raft: Raft, message: Message): StepResult {
  raft.readStates.push({ index: message.index, context: readContext(message) });
  return taken;
}
