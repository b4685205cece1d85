import type { PeerReceiver } from "@conclave/peer";
import type { HashKVResponse } from "@conclave/protocol/etcdserverpb";
import { ownVersion } from "./cluster-version.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { Member } from "./member.ts";
import { promoteHere } from "./promotion.ts";
import { withWireErrors } from "./wire-error-mapping.ts";

/** The questions of other members that a member answers. */
export type PeerQueries = Pick<
  PeerReceiver,
  "members" | "version" | "promote" | "renewLease" | "leaseTimeToLive" | "hashKv"
>;

/** Creates the answers of a member to the others. */
export function createPeerQueries(member: Member): PeerQueries {
  const leases = new LeaseKeeper(member);
  const server = ownVersion(member.settings);
  return {
    members: () => member.membership.members(),
    version: () => ({ server, cluster: member.membership.clusterVersion ?? "not_decided" }),
    promote: (id) => promoteHere(member, id),
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
    await member.nextSlice();
  }
}
