import type { PeerReceiver } from "@conclave/peer";
import { LeaseKeeper } from "../leases/lease-keeper.ts";
import type { Member } from "../member.ts";
import { ownVersion } from "../membership/cluster-version.ts";
import { promoteHere } from "../membership/promotion.ts";

/** The questions of other members that a member answers. */
export type PeerQueries = Pick<
  PeerReceiver,
  "members" | "version" | "downgrading" | "promote" | "renewLease" | "leaseTimeToLive" | "hashKv"
>;

/** Creates the answers of a member to the others. */
export function createPeerQueries(member: Member): PeerQueries {
  const leases = new LeaseKeeper(member);
  const server = ownVersion(member.settings);
  return {
    members: () => member.membership.members(),
    version: () => ({ server, cluster: member.membership.clusterVersion ?? "not_decided" }),
    downgrading: () => member.membership.downgradeTarget !== undefined,
    promote: (id) => promoteHere(member, id),
    renewLease: (id) => leases.renewHere(id),
    leaseTimeToLive: (request) => leases.timeToLiveHere(request),
    hashKv: (revision) => member.hashKv(revision),
  };
}
