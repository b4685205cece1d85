import { isVoter, type JointVoters } from "./joint-quorum.ts";
import type { ConfState } from "./types.ts";

/**
 * A membership, in the form in which it is computed with. Immutable.
 *
 * Invariants: a learner is no voter of either half; `learnersNext` are voters of the outgoing half only; outside a
 * joint configuration `learnersNext` is empty and `autoLeave` false.
 */
export interface Configuration {
  /** Who votes. */
  readonly voters: JointVoters;
  /** Who only receives the log. */
  readonly learners: ReadonlySet<bigint>;
  /** Who becomes a learner when the joint configuration is left: members that still vote in the outgoing half. */
  readonly learnersNext: ReadonlySet<bigint>;
  /** Whether the leader proposes by itself to leave the joint configuration. */
  readonly autoLeave: boolean;
}

/** The membership without members. */
export const emptyConfiguration: Configuration = {
  voters: { incoming: new Set(), outgoing: new Set() },
  learners: new Set(),
  learnersNext: new Set(),
  autoLeave: false,
};

/** The {@link ConfState} without members. */
export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** Whether decisions take two majorities. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.voters.outgoing.size > 0;
}

/** Ids in ascending order. */
function ascending(ids: Iterable<bigint>): readonly bigint[] {
  return Array.from(ids).sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}

/** Every member, voter or learner, in ascending order. */
export function memberIds(configuration: Configuration): readonly bigint[] {
  const { voters, learners } = configuration;
  return ascending(new Set([...voters.incoming, ...voters.outgoing, ...learners]));
}

/** The membership as it is stored and sent. */
export function toConfState(configuration: Configuration): ConfState {
  return {
    voters: ascending(configuration.voters.incoming),
    learners: ascending(configuration.learners),
    votersOutgoing: ascending(configuration.voters.outgoing),
    learnersNext: ascending(configuration.learnersNext),
    autoLeave: configuration.autoLeave,
  };
}

/** The membership that was stored or received. */
export function fromConfState(confState: ConfState): Configuration {
  return {
    voters: { incoming: new Set(confState.voters), outgoing: new Set(confState.votersOutgoing) },
    learners: new Set(confState.learners),
    learnersNext: new Set(confState.learnersNext),
    autoLeave: confState.autoLeave,
  };
}

/** The first rule that a membership breaks, in words; undefined if it keeps all. */
export function brokenRule(configuration: Configuration): string | undefined {
  const { voters, learners, learnersNext, autoLeave } = configuration;
  for (const id of learners) if (isVoter(voters, id)) return `learner ${id} must not vote`;
  for (const id of learnersNext) {
    if (!voters.outgoing.has(id)) return `next learner ${id} must vote in the outgoing half`;
    if (voters.incoming.has(id)) return `next learner ${id} must not vote in the incoming half`;
  }
  if (!isJoint(configuration) && (learnersNext.size > 0 || autoLeave)) return "only a joint configuration is left";
  return undefined;
}
