/**
 * @module Carries out a committed change of the membership, or refuses it. Every member comes to the same verdict, as
 * it looks only at the membership that the log has made so far.
 */
import { invariant, utf8Text } from "@conclave/base";
import { WireError, type WireErrorName } from "@conclave/protocol";
import type { ConfChange } from "@conclave/raft";
import { formatId } from "../consensus/ids.ts";
import { type ClusterMember, isPromotion, type Membership, parseMember } from "./membership.ts";

/** What a change did to the membership, for those who hold ways to the members. */
export type MembershipDelta =
  | { readonly kind: "added"; readonly member: ClusterMember }
  | { readonly kind: "promoted"; readonly id: bigint }
  | { readonly kind: "updated"; readonly id: bigint; readonly peerUrls: readonly string[] }
  | { readonly kind: "removed"; readonly id: bigint };

/** How a change ended. */
export interface AppliedMembershipChange {
  /** What raft is to be told: the change, or one of node 0n, which does nothing, if it was refused. */
  readonly effective: ConfChange;
  /** Why it was refused. */
  readonly error?: WireError;
  /** What it did; undefined if it was refused. */
  readonly delta?: MembershipDelta;
}

/** The rules of the cluster that a change is held against; all members must share them. */
export interface MembershipRules {
  /** Most learners in the cluster. Default 1, as in etcd. */
  readonly maxLearners?: number;
}

/**
 * Applies a committed change to the membership.
 *
 * @throws SyntaxError if its context is not what etcd writes
 */
export function applyMembershipChange(
  change: ConfChange,
  membership: Membership,
  rules: MembershipRules = {},
): AppliedMembershipChange {
  const refusal = refusalOf(change, membership, rules.maxLearners ?? 1);
  if (refusal !== undefined) return { effective: { ...change, nodeId: 0n }, error: new WireError(refusal) };
  return { effective: change, delta: carryOut(change, membership) };
}

/** Why a change cannot be made to this membership; undefined if it can. */
function refusalOf(change: ConfChange, membership: Membership, maxLearners: number): WireErrorName | undefined {
  // An id that has left never returns: it must look to the caller as if it had never been.
  if (membership.wasRemoved(change.nodeId)) return "MemberNotFound";
  const known = membership.member(change.nodeId);
  const context = utf8Text(change.context);
  switch (change.type) {
    case "addNode":
    case "addLearnerNode":
      if (isPromotion(context)) {
        if (known === undefined) return "MemberNotFound";
        return known.isLearner ? undefined : "MemberNotLearner";
      }
      if (known !== undefined) return "MemberExist";
      return refusalToAdd(parseMember(context), membership, maxLearners);
    case "removeNode":
      return known === undefined ? "MemberNotFound" : undefined;
    case "updateNode":
      if (known === undefined) return "MemberNotFound";
      return sharesUrls(parseMember(context), membership) ? "PeerURLExist" : undefined;
  }
}

function refusalToAdd(member: ClusterMember, membership: Membership, maxLearners: number): WireErrorName | undefined {
  if (sharesUrls(member, membership)) return "PeerURLExist";
  const learners = membership.members().filter(({ isLearner }) => isLearner).length;
  return member.isLearner && learners >= maxLearners ? "TooManyLearners" : undefined;
}

/** Whether another member has one of a member's peer URLs. */
function sharesUrls(member: ClusterMember, membership: Membership): boolean {
  const others = membership.members().filter(({ id }) => id !== member.id);
  const taken = new Set(others.flatMap(({ peerUrls }) => peerUrls));
  return member.peerUrls.some((url) => taken.has(url));
}

function carryOut(change: ConfChange, membership: Membership): MembershipDelta {
  const id = change.nodeId;
  const context = utf8Text(change.context);
  switch (change.type) {
    case "addNode":
    case "addLearnerNode": {
      if (isPromotion(context)) {
        membership.promote(id);
        return { kind: "promoted", id };
      }
      const member = parseMember(context);
      invariant(member.id === id, "a change is about the member it describes", formatId(id), formatId(member.id));
      membership.add(member);
      return { kind: "added", member };
    }
    case "updateNode": {
      const { peerUrls } = parseMember(context);
      membership.setPeerUrls(id, peerUrls);
      return { kind: "updated", id, peerUrls };
    }
    case "removeNode":
      membership.remove(id);
      return { kind: "removed", id };
  }
}
