/**
 * @module The way out when a majority is lost for good: the log of one member is made that of a cluster of one. What
 * was not committed is dropped, and the changes that take everybody else out are appended as committed.
 */
import { emptyBytes, utf8 } from "@conclave/base";
import {
  type ConfChange,
  type ConfState,
  confChangeOf,
  type Entry,
  encodeConfChange,
  type HardState,
} from "@conclave/raft";
import { formatMember, formatPromotion } from "../membership/membership.ts";

/** The log of a member as it was found. */
export interface FoundLog {
  /** Its last hard state, with a commit index that covers what the store holds. */
  readonly hardState: HardState;
  /** Its entries. */
  readonly entries: readonly Entry[];
  /** Index of the last entry the store holds. */
  readonly applied: number;
  /** The raft configuration as of that entry. */
  readonly confState: ConfState;
}

/** This member, in case the log does not have it as a member. */
export interface Survivor {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
}

/** The log of the new cluster. */
export interface StandaloneLog {
  readonly hardState: HardState;
  /** All entries. */
  readonly entries: readonly Entry[];
  /** Those at the end that are new, to be saved. */
  readonly appended: readonly Entry[];
}

/** Makes the log of a cluster in which this member is alone. The ids of member and cluster stay. */
export function standaloneLog(log: FoundLog, survivor: Survivor): StandaloneLog {
  const { term, commit } = log.hardState;
  const committed = log.entries.filter(({ index }) => index <= commit);
  const appended = changesToStandalone(rolesAfter(log, committed), survivor).map(
    (change, at): Entry => ({
      type: "confChange",
      term,
      index: commit + 1 + at,
      data: encodeConfChange(change),
    }),
  );
  return {
    hardState: { ...log.hardState, commit: commit + appended.length },
    entries: [...committed, ...appended],
    appended,
  };
}

type Role = "voter" | "learner";

/** The members once all committed entries are applied. */
function rolesAfter({ applied, confState }: FoundLog, committed: readonly Entry[]): ReadonlyMap<bigint, Role> {
  const roles = new Map<bigint, Role>();
  for (const id of confState.voters) roles.set(id, "voter");
  for (const id of confState.learners) roles.set(id, "learner");
  for (const entry of committed) {
    const change = entry.index > applied ? confChangeOf(entry) : undefined;
    if (change === undefined || !("nodeId" in change)) continue;
    if (change.type === "addNode") roles.set(change.nodeId, "voter");
    else if (change.type === "addLearnerNode") roles.set(change.nodeId, "learner");
    else if (change.type === "removeNode") roles.delete(change.nodeId);
  }
  return roles;
}

function changesToStandalone(roles: ReadonlyMap<bigint, Role>, survivor: Survivor): readonly ConfChange[] {
  const own = roles.get(survivor.id);
  const changes: ConfChange[] = [];
  if (own === undefined)
    changes.push(add(survivor.id, formatMember({ ...survivor, clientUrls: [], isLearner: false })));
  if (own === "learner") changes.push(add(survivor.id, formatPromotion(survivor.id)));
  const others = [...roles.keys()].filter((id) => id !== survivor.id).sort((left, right) => (left < right ? -1 : 1));
  return [
    ...changes,
    ...others.map((nodeId): ConfChange => ({ id: 0n, type: "removeNode", nodeId, context: emptyBytes })),
  ];
}

function add(nodeId: bigint, context: string): ConfChange {
  return { id: 0n, type: "addNode", nodeId, context: utf8(context) };
}
