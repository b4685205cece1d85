/** @module How a leader brings its log to the others (Raft paper §5.3, §5.4.2; thesis §10.2). */
import { invariant } from "@conclave/base";
import { noOp, type Proposal, payloadBytes } from "./entry.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import type { Entry } from "./types.ts";

/** Appends to the leader's own log, in constant time; the others are told with the next Ready. */
export function appendEntry(raft: Raft, proposal: Proposal): Entry {
  invariant(raft.role === "leader", "only a leader appends", raft.role);
  const entry = raft.log.push(proposal, raft.term);
  raft.uncommittedBytes += entry.data.length;
  raft.needsBroadcast = true;
  return entry;
}

/** Appends the entry that opens a leader's term; no limit may refuse it. */
export function appendNoOp(raft: Raft): void {
  appendEntry(raft, noOp);
}

/** Takes note that entries have been applied and count no more as uncommitted. */
export function reduceUncommitted(raft: Raft, applied: readonly Entry[]): void {
  // Entries of earlier terms were not counted: the sum is an estimate that must not go below zero.
  raft.uncommittedBytes = Math.max(0, raft.uncommittedBytes - payloadBytes(applied));
}

/** Takes note of what is on the leader's own disk: it counts its copy like any other, once it is durable. */
export function acknowledgeOwn(raft: Raft): void {
  if (raft.role !== "leader") return;
  const own = raft.tracker.progress.get(raft.id);
  if (own?.maybeUpdate(raft.log.stableIndex)) maybeCommit(raft);
}

/**
 * Commits what a quorum has, but only if the last of it is of the leader's own term: counting copies of an earlier
 * term's entry could commit what a later leader overwrites (§5.4.2, figure 8).
 */
export function maybeCommit(raft: Raft): void {
  const index = raft.tracker.committedIndex;
  if (index <= raft.log.committed || !raft.log.matches({ index, term: raft.term })) return;
  raft.log.commitTo(index);
  raft.needsBroadcast = true;
}

/** Whether the leader has committed in its term, and so knows what was committed before (thesis §6.4). */
export function hasCommittedInTerm(raft: Raft): boolean {
  return raft.log.term(raft.log.committed) === raft.term;
}

/** Sends every follower what it lacks, as far as its window allows. */
export function broadcastAppend(raft: Raft): void {
  raft.needsBroadcast = false;
  for (const id of raft.tracker.progress.keys()) {
    if (id !== raft.id) sendNews(raft, id);
  }
}

/** Sends a follower what it lacks, entries or the commit index, until its window is full. */
export function sendNews(raft: Raft, to: bigint): void {
  const progress = raft.tracker.progress.get(to);
  if (progress?.canBumpCommit(raft.log.committed)) sendAppend(raft, to);
  while (maybeSendAppend(raft, to, { evenIfEmpty: false }));
}

/** Sends a follower one append, if only to tell it the commit index or to ask where the logs agree. */
export function sendAppend(raft: Raft, to: bigint): void {
  maybeSendAppend(raft, to, { evenIfEmpty: true });
}

/**
 * Sends a follower one append, or a snapshot if the entries it needs were compacted.
 *
 * @returns whether something was sent
 */
export function maybeSendAppend(raft: Raft, to: bigint, options: { evenIfEmpty: boolean }): boolean {
  const progress = raft.tracker.progress.get(to);
  if (progress === undefined || progress.isPaused) return false;
  const previous = progress.next - 1;
  const logTerm = raft.log.term(previous);
  const entries = entriesFor(raft, progress);
  if (logTerm === undefined || entries === undefined) return maybeSendSnapshot(raft, to);
  if (entries.length === 0 && !options.evenIfEmpty) return false;
  const commit = raft.log.committed;
  raft.send("MsgApp", to, { index: previous, logTerm, entries, commit });
  progress.sentEntries(entries.length, payloadBytes(entries));
  progress.sentCommit = Math.max(progress.sentCommit, commit);
  return true;
}

function entriesFor(raft: Raft, progress: Progress): readonly Entry[] | undefined {
  // With a full window only empty appends go out: their answers tell whether what is in flight was lost.
  if (progress.state === "replicate" && progress.inflights.isFull) return [];
  return raft.log.entries({ start: progress.next, end: raft.log.lastIndex + 1 }, raft.config.maxMessageBytes);
}

function maybeSendSnapshot(raft: Raft, to: bigint): boolean {
  const progress = raft.tracker.progress.get(to);
  // To a follower that is away a snapshot would be built and sent in vain.
  if (progress?.recentActive !== true) return false;
  const snapshot = raft.log.snapshot();
  if (snapshot === undefined) return false;
  const { index } = snapshot.metadata;
  invariant(index >= raft.log.firstIndex - 1, "a snapshot leaves no gap to the log", index, raft.log.firstIndex);
  progress.becomeSnapshot(index);
  raft.send("MsgSnap", to, { snapshot });
  return true;
}

/** Sends a heartbeat to everyone, with the name of the round if one is given. */
export function broadcastHeartbeat(raft: Raft, context: Uint8Array | undefined): void {
  for (const [id, progress] of raft.tracker.progress) {
    if (id === raft.id) continue;
    // The follower may not have what is committed: it must not be told of more than it is known to have.
    const commit = Math.min(progress.match, raft.log.committed);
    raft.send("MsgHeartbeat", id, context === undefined ? { commit } : { commit, context });
  }
}
