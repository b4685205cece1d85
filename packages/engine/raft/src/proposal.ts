/** @module Taking commands in at a leader (Raft paper §5.3). */
import type { Proposal } from "./entry.ts";
import { autoLeaveProposal, refusalOfConfChange } from "./membership.ts";
import type { Raft } from "./raft.ts";
import { appendEntry } from "./replication.ts";
import { type Dropped, dropped, type ProposeResult } from "./results.ts";
import type { Entry } from "./types.ts";

/** Appends a command to the leader's log, in constant time. */
export function proposeAtLeader(raft: Raft, proposal: Proposal): ProposeResult {
  const refusal = refusalOf(raft, proposal);
  if (refusal !== undefined) return refusal;
  const { index, term } = appendEntry(raft, proposal);
  if (proposal.type !== "normal") raft.pendingConfIndex = index;
  return { kind: "accepted", index, term };
}

function refusalOf(raft: Raft, proposal: Proposal): Dropped | undefined {
  const { data, type } = proposal;
  if (data.length > raft.config.maxProposalBytes) return dropped("tooLarge");
  if (!raft.tracker.isVoter(raft.id)) return dropped("notMember");
  if (raft.leadTransferee !== 0n) return dropped("leadershipTransfer");
  // Nothing uncommitted: a command of any size may pass, else it never could.
  const { uncommittedBytes } = raft;
  if (uncommittedBytes > 0 && uncommittedBytes + data.length > raft.config.maxUncommittedBytes)
    return dropped("tooManyUncommitted");
  return type === "normal" ? undefined : refusalOfConfChange(raft, proposal);
}

/** Appends what a follower passed on: all of it or, if one is refused, nothing after that one. */
export function proposeForwarded(raft: Raft, entries: readonly Entry[]): ProposeResult {
  let result: ProposeResult = dropped("malformed", "a proposal has no entries");
  for (const { type, data } of entries) {
    result = proposeAtLeader(raft, { type, data });
    if (result.kind === "dropped") return result;
  }
  return result;
}

/** Leaves a joint configuration, if that is to happen by itself and may. */
export function maybeAutoLeave(raft: Raft): void {
  const proposal = autoLeaveProposal(raft);
  // While leadership is being handed over it is dropped here; the next leader, or the next turn, does it.
  if (proposal !== undefined) proposeAtLeader(raft, proposal);
}
