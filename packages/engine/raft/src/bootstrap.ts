/** @module The first entries of a new cluster. */
import { encodeConfChange } from "./conf-change.ts";
import { applyConfChange } from "./membership.ts";
import type { Raft } from "./raft.ts";
import { becomeFollower } from "./roles.ts";
import type { ConfChange } from "./types.ts";

/** A member of the first membership. */
export interface InitialMember {
  /** Its id. */
  readonly id: bigint;
  /** What the application needs to know of it. */
  readonly context: Uint8Array;
}

/** Writes the first membership into an empty log, as committed changes of term 1. */
export function bootstrap(raft: Raft, members: readonly InitialMember[]): void {
  if (raft.log.lastIndex > 0 || raft.term > 0)
    throw new RangeError(`Cannot bootstrap as the log must be empty: its last index is ${raft.log.lastIndex}`);
  if (members.length === 0) throw new RangeError("Cannot bootstrap without members");
  becomeFollower(raft, 1, 0n);
  for (const { id, context } of members) {
    const change: ConfChange = { id: 0n, type: "addNode", nodeId: id, context };
    raft.log.push({ type: "confChange", data: encodeConfChange(change) }, 1);
    // Known at once, not only when applied again from the log, so that the member can campaign.
    applyConfChange(raft, change);
  }
  raft.log.commitTo(raft.log.lastIndex);
}
