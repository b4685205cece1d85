/**
 * @module Gives a learner its vote. Only the leader knows how far the learner is: any other member passes the request
 * on to it.
 */

import { utf8 } from "@conclave/base";
import type { PeerMember } from "@conclave/peer";
import { WireError } from "@conclave/protocol";
import type { Member } from "../member.ts";
import { type ClusterMember, formatPromotion } from "./membership.ts";
import { refusalToPromote } from "./reconfiguration.ts";

/** The part of a member that promotes. */
export type PromotingMember = Pick<
  Member,
  "id" | "leader" | "membership" | "ports" | "progress" | "proposeConfChange" | "requestTimeoutMs" | "settings"
>;

/** A learner is in sync once its log is as long as this part of the leader's, as in etcd. */
const readyPart = 0.9;
/** Answers of the leader that asking again would not change. */
const verdicts: ReadonlySet<string> = new Set(["MemberNotFound", "MemberNotLearner", "LearnerNotReady"]);

/**
 * Promotes a learner, wherever the leader is.
 *
 * @returns the members after it
 * @throws WireError `MemberNotFound`, `MemberNotLearner`, `LearnerNotReady`, `MemberNotEnoughStarted`, or `NoLeader` or
 * `Timeout` if no leader took it
 */
export async function promoteLearner(member: PromotingMember, id: bigint): Promise<readonly PeerMember[]> {
  const { clock } = member.ports;
  const deadlineMs = clock.monotonicMs() + member.requestTimeoutMs;
  for (;;) {
    const members = (await maybePromoteHere(member, id)) ?? (await maybePromoteAtLeader(member, id, deadlineMs));
    if (members !== undefined) return members;
    if (clock.monotonicMs() >= deadlineMs) throw new WireError(member.leader === 0n ? "NoLeader" : "Timeout");
    await new Promise<void>((resolve) => member.ports.scheduler.after(member.settings.heartbeatIntervalMs, resolve));
  }
}

/**
 * Promotes a learner if this member leads.
 *
 * @throws WireError as {@link promoteLearner}, and `NotLeader`
 */
export async function promoteHere(member: PromotingMember, id: bigint): Promise<readonly ClusterMember[]> {
  checkReady(member, id);
  await member.proposeConfChange({ type: "addNode", nodeId: id, context: utf8(formatPromotion(id)) });
  return member.membership.members();
}

async function maybePromoteHere(member: PromotingMember, id: bigint): Promise<readonly ClusterMember[] | undefined> {
  try {
    return await promoteHere(member, id);
  } catch (error) {
    if (error instanceof WireError && error.code === "NotLeader") return undefined;
    throw error;
  }
}

async function maybePromoteAtLeader(
  { id: self, leader, membership, ports }: PromotingMember,
  id: bigint,
  deadlineMs: number,
): Promise<readonly PeerMember[] | undefined> {
  const urls = membership.member(leader)?.peerUrls ?? [];
  const timeoutMs = deadlineMs - ports.clock.monotonicMs();
  if (leader === self || urls.length === 0 || timeoutMs <= 0) return undefined;
  try {
    return await ports.peers.promote({ urls, timeoutMs }, id);
  } catch (error) {
    if (error instanceof WireError && verdicts.has(error.code)) throw error;
    ports.log.warn("the leader did not promote a learner", { error: String(error) });
    return undefined;
  }
}

function checkReady(member: PromotingMember, id: bigint): void {
  const progress = member.progress();
  if (progress === undefined) throw new WireError("NotLeader");
  const learner = progress.get(id);
  if (learner === undefined) throw new WireError("MemberNotFound");
  const own = progress.get(member.id)?.match ?? 0;
  if (learner.match < own * readyPart) throw new WireError("LearnerNotReady");
  if (member.settings.strictReconfigCheck === false) return;
  const refusal = refusalToPromote({ members: member.membership.members() });
  if (refusal !== undefined) throw new WireError(refusal);
}
