/** @module Changes of the membership at the member: proposing, applying, and restoring it (Raft paper §6, §7). */
import { emptyBytes, invariant } from "@conclave/base";
import { confChangeOf, encodeConfChangeV2 } from "./conf-change.ts";
import { type Configuration, fromConfState, toConfState } from "./configuration.ts";
import { changeConfiguration } from "./configuration-change.ts";
import type { Proposal } from "./entry.ts";
import { RaftError } from "./errors.ts";
import type { Raft } from "./raft.ts";
import { answerConfirmedReads } from "./read-index.ts";
import { broadcastAppend, maybeCommit } from "./replication.ts";
import { type Dropped, dropped } from "./results.ts";
import { handOverIfRemoved } from "./transfer.ts";
import type { ConfChange, ConfChangeV2, ConfState, Snapshot } from "./types.ts";

/**
 * Why a leader may not append a change now; undefined if it may. Changes are made one after the other: the next one
 * is proposed after the last one was applied (thesis §4.1), so that each is checked against what it will change.
 */
export function refusalOfConfChange(raft: Raft, proposal: Proposal): Dropped | undefined {
  try {
    const change = confChangeOf(proposal);
    return change === undefined ? undefined : refusal(raft, change);
  } catch (error) {
    if (error instanceof RaftError) return dropped("malformed", error.message);
    throw error;
  }
}

function refusal(raft: Raft, change: ConfChange | ConfChangeV2): Dropped | undefined {
  if (raft.pendingConfIndex > raft.log.applied) return dropped("confChangePending");
  const result = changeConfiguration(raft.tracker.configuration, change);
  return result.kind === "refused" ? dropped("refused", result.reason) : undefined;
}

/**
 * Puts a committed change into force.
 *
 * @returns the membership after it
 */
export function applyConfChange(raft: Raft, change: ConfChange | ConfChangeV2): ConfState {
  const result = changeConfiguration(raft.tracker.configuration, change);
  // Every member applies the same changes to the same membership: none can be refused here that was not at the leader.
  invariant(result.kind === "changed", result.kind === "refused" ? result.reason : "");
  switchTo(raft, result.configuration);
  return toConfState(result.configuration);
}

function switchTo(raft: Raft, configuration: Configuration): void {
  raft.tracker.reconfigure(configuration, raft.log.lastIndex);
  if (raft.role !== "leader") return;
  // A smaller quorum may have more; and newcomers are to be told what there is.
  maybeCommit(raft);
  broadcastAppend(raft);
  answerConfirmedReads(raft);
  if (!raft.tracker.isVoter(raft.leadTransferee)) raft.leadTransferee = 0n;
  handOverIfRemoved(raft);
}

/** What a leader proposes when it may leave a joint configuration by itself; undefined if it may not. */
export function autoLeaveProposal(raft: Raft): Proposal | undefined {
  const { configuration } = raft.tracker;
  if (raft.role !== "leader" || !configuration.autoLeave || raft.pendingConfIndex > raft.log.applied) return undefined;
  const leave: ConfChangeV2 = { transition: "auto", changes: [], context: emptyBytes };
  return { type: "confChangeV2", data: encodeConfChangeV2(leave) };
}

/**
 * Restores a leader's snapshot at a follower, unless the follower has what it holds. A snapshot from before the
 * follower joined is as good as any: the log after it brings the follower in.
 *
 * @returns whether the log was replaced
 */
export function maybeRestore(raft: Raft, snapshot: Snapshot): boolean {
  const { index, term, confState } = snapshot.metadata;
  if (index <= raft.log.committed) return false;
  if (raft.log.matches({ index, term })) {
    raft.log.commitTo(index);
    return false;
  }
  const configuration = fromConfState(confState);
  raft.log.restore(snapshot);
  raft.tracker.reconfigure(configuration, index + 1);
  raft.tracker.reset(index);
  return true;
}
