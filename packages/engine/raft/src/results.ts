/**
 * Why something was not taken. All but `tooLarge` and `refused` may pass by themselves:
 * - `noLeader`: no leader is known, or it is not this member and proposals are not forwarded.
 * - `notMember`: this member is not in the membership, or the message is an answer from one that is not.
 * - `leadershipTransfer`: leadership is being handed over; ask again in a moment.
 * - `tooManyUncommitted`: the leader holds as many uncommitted bytes as it may.
 * - `tooManyReads`: as many reads wait as may.
 * - `tooLarge`: the command is larger than `maxProposalBytes`.
 * - `confChangePending`: the previous membership change is not applied yet.
 * - `refused`: the membership change is not possible from the present membership, or there is nothing to hand over to.
 * - `stale`: the message is of an earlier term, or for a role the member no longer has.
 * - `leaderActive`: a vote was asked while a leader is heard (thesis §4.2.3).
 * - `malformed`: the message breaks the protocol.
 */
export type DropReason =
  | "noLeader"
  | "notMember"
  | "leadershipTransfer"
  | "tooManyUncommitted"
  | "tooManyReads"
  | "tooLarge"
  | "confChangePending"
  | "refused"
  | "stale"
  | "leaderActive"
  | "malformed";

/** What was not taken, and why. */
export interface Dropped {
  /** Tells it from what was taken. */
  readonly kind: "dropped";
  /** Why. */
  readonly reason: DropReason;
  /** More of it in words, where there is more to say. */
  readonly detail?: string | undefined;
}

/**
 * What became of a proposal. `accepted`: it is in this leader's log at `index`; it is committed if the entry at
 * `index` is committed with this `term`, and lost if one of another term is. `forwarded`: it was sent to the leader,
 * which may drop it silently.
 */
export type ProposeResult =
  | { readonly kind: "accepted"; readonly index: number; readonly term: number }
  | { readonly kind: "forwarded"; readonly to: bigint }
  | Dropped;

/** What became of a request or message: taken (which promises nothing) or dropped. */
export type StepResult = { readonly kind: "taken" } | Dropped;

/** The answer to what was taken. */
export const taken: StepResult = { kind: "taken" };

/** The answer to what was not. */
export function dropped(reason: DropReason, detail?: string): Dropped {
  return { kind: "dropped", reason, detail };
}
