/**
 * @module Changes of the membership as functions from one configuration to the next (Raft paper §6, thesis §4).
 *
 * A change of at most one voter may take effect at once, for majorities before and after it overlap. Any other goes
 * through a joint configuration: `(1 2 3)` → `(1 4 5)&&(1 2 3)` → `(1 4 5)`. A member that goes from voter to
 * learner on the way stays an outgoing voter until the end, and is noted in `learnersNext` meanwhile:
 *
 *     voters (1 2)              enter joint, 2 becomes a learner
 *     voters (1)&&(1 2) learnersNext (2)      leave
 *     voters (1) learners (2)
 */
import { type Configuration, isJoint } from "./configuration.ts";
import type { ConfChange, ConfChangeSingle, ConfChangeV2 } from "./types.ts";

/** The configuration a change leads to, or why it is refused. */
export type ConfigurationChange =
  | { readonly kind: "changed"; readonly configuration: Configuration }
  | { readonly kind: "refused"; readonly reason: string };

/** A configuration under construction. */
interface Draft {
  readonly incoming: Set<bigint>;
  readonly outgoing: ReadonlySet<bigint>;
  readonly learners: Set<bigint>;
  readonly learnersNext: Set<bigint>;
}

function refused(reason: string): ConfigurationChange {
  return { kind: "refused", reason };
}

function draftOf(configuration: Configuration, outgoing: ReadonlySet<bigint>): Draft {
  return {
    incoming: new Set(configuration.voters.incoming),
    outgoing,
    learners: new Set(configuration.learners),
    learnersNext: new Set(configuration.learnersNext),
  };
}

function finish(draft: Draft, autoLeave: boolean): ConfigurationChange {
  const { incoming, outgoing, learners, learnersNext } = draft;
  return {
    kind: "changed",
    configuration: { voters: { incoming, outgoing }, learners, learnersNext, autoLeave },
  };
}

function makeVoter(draft: Draft, id: bigint): void {
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  draft.incoming.add(id);
}

function makeLearner(draft: Draft, id: bigint): void {
  draft.incoming.delete(id);
  // A member cannot be a learner while it votes in the outgoing half.
  if (draft.outgoing.has(id)) draft.learnersNext.add(id);
  else draft.learners.add(id);
}

function remove(draft: Draft, id: bigint): void {
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
}

function applyTo(draft: Draft, change: ConfChangeSingle): void {
  // The application turns a change that it refuses into one of no member.
  if (change.nodeId === 0n) return;
  switch (change.type) {
    case "addNode":
      makeVoter(draft, change.nodeId);
      break;
    case "addLearnerNode":
      makeLearner(draft, change.nodeId);
      break;
    case "removeNode":
      remove(draft, change.nodeId);
      break;
    case "updateNode":
      break;
  }
}

/** How many ids are in exactly one of the sets. */
function symmetricDifference(left: ReadonlySet<bigint>, right: ReadonlySet<bigint>): number {
  let count = 0;
  for (const id of left) if (!right.has(id)) count++;
  for (const id of right) if (!left.has(id)) count++;
  return count;
}

function simple(configuration: Configuration, changes: readonly ConfChangeSingle[]): ConfigurationChange {
  if (isJoint(configuration)) return refused("a joint configuration must be left first");
  const draft = draftOf(configuration, configuration.voters.outgoing);
  for (const change of changes) applyTo(draft, change);
  if (draft.incoming.size === 0) return refused("a voter must remain");
  if (symmetricDifference(configuration.voters.incoming, draft.incoming) > 1)
    return refused("more than one voter changes only through a joint configuration");
  return finish(draft, false);
}

function enterJoint(
  configuration: Configuration,
  change: { changes: readonly ConfChangeSingle[]; autoLeave: boolean },
): ConfigurationChange {
  if (isJoint(configuration)) return refused("a joint configuration must be left first");
  if (configuration.voters.incoming.size === 0) return refused("a joint configuration starts from voters");
  const draft = draftOf(configuration, configuration.voters.incoming);
  for (const single of change.changes) applyTo(draft, single);
  if (draft.incoming.size === 0) return refused("a voter must remain");
  return finish(draft, change.autoLeave);
}

function leaveJoint(configuration: Configuration): ConfigurationChange {
  if (!isJoint(configuration)) return refused("only a joint configuration is left");
  const draft = draftOf(configuration, new Set());
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  return finish(draft, false);
}

/** A change of one member, written as a change of several. */
export function asConfChangeV2(change: ConfChange | ConfChangeV2): ConfChangeV2 {
  if ("changes" in change) return change;
  return { transition: "auto", changes: [{ type: change.type, nodeId: change.nodeId }], context: change.context };
}

/** Whether the change asks to leave a joint configuration. */
export function isLeaveJoint(change: ConfChangeV2): boolean {
  return change.transition === "auto" && change.changes.length === 0;
}

/** The configuration after a change. */
export function changeConfiguration(
  configuration: Configuration,
  change: ConfChange | ConfChangeV2,
): ConfigurationChange {
  const asV2 = asConfChangeV2(change);
  const { transition, changes } = asV2;
  if (isLeaveJoint(asV2)) return leaveJoint(configuration);
  if (transition === "auto" && changes.length === 1) return simple(configuration, changes);
  return enterJoint(configuration, { changes, autoLeave: transition !== "jointExplicit" });
}
