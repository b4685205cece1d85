/** @module The hashes that the other members have of their histories. */
import type { PeerCalls } from "@conclave/peer";
import type { HashKVResponse } from "@conclave/protocol/etcdserverpb";
import type { ClusterMember } from "../membership/membership.ts";

/** What one member answered. */
export interface PeerHash {
  /** Its id. */
  readonly id: bigint;
  /** Its hash, where it covers the history from and how far it is; undefined if it gave no answer. */
  readonly response?: HashKVResponse;
  /** Why it gave none: that it has compacted the revision, has not reached it, or could not be asked. */
  readonly error?: unknown;
}

/** Whom to ask, and how. */
export interface PeerHashesOptions {
  /** The others. */
  readonly members: readonly ClusterMember[];
  /** The way to them. */
  readonly peers: Pick<PeerCalls, "hashKv">;
  /** The cluster that they must be of. */
  readonly clusterId: bigint;
  /** After how many milliseconds a member's answer is not waited for any more. */
  readonly timeoutMs: number;
}

/** Asks all of them at once for their hash at a revision. Never rejects: who does not answer is in the result. */
export function askHashes(revision: number, options: PeerHashesOptions): Promise<readonly PeerHash[]> {
  const { members, peers, clusterId, timeoutMs } = options;
  const ask = async ({ id, peerUrls: urls }: ClusterMember): Promise<PeerHash> => {
    try {
      return { id, response: await peers.hashKv({ urls, timeoutMs }, { revision, clusterId }) };
    } catch (error) {
      return { id, error };
    }
  };
  return Promise.all(members.map(ask));
}
