import type { PeerReceiver } from "@conclave/peer";
import { WireError } from "@conclave/protocol";
import type { HashKVResponse } from "@conclave/protocol/etcdserverpb";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { Member } from "./member.ts";
import { etcdApiVersion } from "./version.ts";
import { withWireErrors } from "./wire-error-mapping.ts";

/** The questions of other members that a member answers. */
export type PeerQueries = Pick<
  PeerReceiver,
  "members" | "version" | "promote" | "renewLease" | "leaseTimeToLive" | "hashKv"
>;

/** Creates the answers of a member to the others. */
export function createPeerQueries(member: Member): PeerQueries {
  const leases = new LeaseKeeper(member);
  return {
    members: () => member.membership.members(),
    version: () => ({ server: etcdApiVersion, cluster: member.membership.clusterVersion ?? "not_decided" }),
    promote: () => Promise.reject(new WireError("NotLeader")),
    renewLease: (id) => leases.renewHere(id),
    leaseTimeToLive: (request) => leases.timeToLiveHere(request),
    hashKv: (revision) => hashKv(member, revision),
  };
}

async function hashKv(member: Member, revision: number): Promise<HashKVResponse> {
  const slices = withWireErrors(() => member.store.hashKv(revision));
  const header = member.header();
  for (;;) {
    const step = withWireErrors(() => slices.next());
    if (step.done === true) return { header, ...step.value };
    await new Promise<void>((resolve) => member.ports.scheduler.atTurnEnd(resolve));
  }
}
