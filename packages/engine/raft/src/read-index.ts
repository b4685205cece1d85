/** @module Linearizable reads without writing to the log (thesis §6.4). */
import { jointCommittedIndex } from "./joint-quorum.ts";
import { readEntries } from "./message.ts";
import type { Raft } from "./raft.ts";
import { decodeRound, encodeRound, type ReadRequest, type ReadyRead } from "./read-only.ts";
import { broadcastHeartbeat, hasCommittedInTerm } from "./replication.ts";
import type { DropReason } from "./results.ts";

/** Takes a read in at the leader. It is answered once a quorum has confirmed that the leader still leads. */
export function acceptRead(raft: Raft, request: ReadRequest): DropReason | undefined {
  if (raft.readOnly.size >= raft.config.maxPendingReads) return "tooManyReads";
  if (!hasCommittedInTerm(raft)) {
    raft.readOnly.defer(request);
    return undefined;
  }
  const read: ReadyRead = { from: request.from, context: request.context, index: raft.log.committed };
  if (raft.isOnlyVoter) answerRead(raft, read);
  else raft.readOnly.add(read);
  return undefined;
}

/** Takes in the reads that waited for the leader's first commit, if it has come. */
export function acceptDeferredReads(raft: Raft): void {
  if (!raft.readOnly.hasDeferred || !hasCommittedInTerm(raft)) return;
  for (const request of raft.readOnly.takeDeferred()) acceptRead(raft, request);
}

/** Begins a round of heartbeats for the reads that came since the last one: once per Ready. */
export function startReadRound(raft: Raft): void {
  if (!raft.readOnly.needsRound) return;
  broadcastHeartbeat(raft, encodeRound(raft.readOnly.startRound()));
  answerConfirmedReads(raft);
}

/** Repeats the open round, if any, with the leader's regular heartbeat. */
export function heartbeatContext(raft: Raft): Uint8Array | undefined {
  const round = raft.readOnly.openRound;
  return round === undefined ? undefined : encodeRound(round);
}

/** Takes note of a heartbeat's answer. */
export function onReadRoundAnswer(raft: Raft, from: bigint, context: Uint8Array): void {
  const round = decodeRound(context);
  if (round === 0) return;
  raft.readOnly.recordAnswer(from, round);
  answerConfirmedReads(raft);
}

/** Answers the reads whose round a quorum has answered; the leader itself is always there. */
export function answerConfirmedReads(raft: Raft): void {
  const { voters } = raft.tracker.configuration;
  const confirmed = jointCommittedIndex(voters, (id) =>
    id === raft.id ? Number.POSITIVE_INFINITY : raft.readOnly.answeredRound(id),
  );
  for (const read of raft.readOnly.takeConfirmed(confirmed)) answerRead(raft, read);
}

function answerRead(raft: Raft, read: ReadyRead): void {
  const { from, context, index } = read;
  if (from === raft.id) raft.readStates.push({ index, context });
  else raft.send("MsgReadIndexResp", from, { index, entries: readEntries(context) });
}
