/**
 * @module The checks that a change of the membership must pass before it is proposed, unless strict reconfiguration
 * checks are off: enough members that have started for a quorum after it, and enough that are connected now. These look
 * at what one member sees; what the log has made of the membership decides again when the change is applied.
 */
import type { WireErrorName } from "@conclave/protocol";
import type { ClusterMember } from "./membership.ts";

/** The cluster as a member sees it. */
export interface ReconfigurationView {
  /** The member that looks. */
  readonly self: bigint;
  /** All members. */
  readonly members: readonly ClusterMember[];
  /** Since when another member has been connected, in monotonic ms; undefined while it is not. */
  readonly activeSince: (id: bigint) => number | undefined;
  /** Monotonic time. */
  readonly nowMs: number;
}

/** A member counts as healthy once it has been connected for so long. */
const healthyAfterMs = 5000;

function quorumOf(size: number): number {
  return Math.floor(size / 2) + 1;
}

function votersOf({ members }: Pick<ReconfigurationView, "members">): readonly ClusterMember[] {
  return members.filter(({ isLearner }) => !isLearner);
}

/** A member publishes its name when it starts. */
function startedOf(members: readonly ClusterMember[]): number {
  return members.filter(({ name }) => name !== "").length;
}

function healthyOf({ self, activeSince, nowMs }: ReconfigurationView, members: readonly ClusterMember[]): number {
  return members.filter(({ id }) => {
    const sinceMs = activeSince(id);
    return id === self || (sinceMs !== undefined && sinceMs < nowMs - healthyAfterMs);
  }).length;
}

/** Why a member must not be added now; undefined if it may. */
export function refusalToAdd(
  view: ReconfigurationView,
  { isLearner }: Pick<ClusterMember, "isLearner">,
): WireErrorName | undefined {
  const voters = votersOf(view);
  if (!isLearner && !isReadyForVoter(voters)) return "MemberNotEnoughStarted";
  return healthyOf(view, voters) < voters.length ? "Unhealthy" : undefined;
}

/** The new voter has not started, and must not be needed for a quorum. */
function isReadyForVoter(voters: readonly ClusterMember[]): boolean {
  const started = startedOf(voters);
  // A second member is added to restore the data of the only one.
  if (started === 1 && voters.length === 1) return true;
  return started >= quorumOf(voters.length + 1);
}

/** Why a member must not be removed now; undefined if it may. */
export function refusalToRemove(view: ReconfigurationView, id: bigint): WireErrorName | undefined {
  const voters = votersOf(view);
  if (view.members.some((member) => member.id === id && member.isLearner)) return undefined;
  const rest = voters.filter((member) => member.id !== id);
  if (rest.length === 0 || startedOf(rest) < quorumOf(rest.length)) return "MemberNotEnoughStarted";
  // Whoever is down is no part of the quorum at work.
  if (id !== view.self && view.activeSince(id) === undefined) return undefined;
  return healthyOf(view, voters) - 1 < quorumOf(voters.length - 1) ? "Unhealthy" : undefined;
}

/** Why no learner must be promoted now; undefined if one may: it counts as started, as it has caught up. */
export function refusalToPromote(view: Pick<ReconfigurationView, "members">): WireErrorName | undefined {
  const voters = votersOf(view);
  return startedOf(voters) + 1 < quorumOf(voters.length + 1) ? "MemberNotEnoughStarted" : undefined;
}
