/** @module A member tells the cluster its name and where it serves clients, until a leader has taken it. */
import { WireError } from "@conclave/protocol";
import type { Membership } from "../membership/membership.ts";
import type { Proposer } from "./proposer.ts";

/** After how long attributes are published again if no leader has taken them. */
const publishTimeoutMs = 1000;

/** What a member is to others, and the way to tell them. */
export interface AttributePublisherPorts {
  readonly memberId: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly membership: Membership;
  readonly proposer: Proposer;
  /** Resolves while a leader is known; refuses once the member has stopped. */
  readonly leaderKnown: () => Promise<void>;
  /** Resolves when what this member knows is as new as anything that was acknowledged. */
  readonly linearizable: () => Promise<void>;
}

/**
 * Publishes this member's attributes, where they differ from what the cluster knows.
 *
 * @throws WireError `Stopped` once the member has stopped, and whatever does not pass by itself
 */
export async function publishAttributes(ports: AttributePublisherPorts): Promise<void> {
  const { memberId, name, clientUrls, membership, proposer } = ports;
  const request = { memberID: memberId, memberAttributes: { name, clientUrls: [...clientUrls] } };
  for (;;) {
    await ports.leaderKnown();
    try {
      // One that has just joined does not know before what form of the command the others understand.
      await ports.linearizable();
      const known = membership.member(memberId);
      if (known?.name === name && known.clientUrls.join() === clientUrls.join()) return;
      await proposer.propose("clusterMemberAttrSet", request, { timeoutMs: publishTimeoutMs });
    } catch (error) {
      // What was sent to a leader that was lost is sent again: it means the same however often it is applied.
      if (!mayPass(error)) throw error;
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof WireError && (error.code.startsWith("Timeout") || error.code === "LeaderChanged");
}
