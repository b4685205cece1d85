/**
 * @module Who a member is when its data directory is empty: one of the founders of a cluster, or one that a running
 * cluster was told of. All founders come to the same ids and the same first entries by themselves.
 */
import type { PeerCalls, PeerMember } from "@conclave/peer";
import { computeClusterId, computeMemberId, formatId } from "../consensus/ids.ts";
import type { Log } from "../log.ts";
import { MemberError } from "../member-error.ts";
import type { ClusterMember } from "../membership/membership.ts";
import {
  checkAdvertisedUrls,
  type InitialClusterMember,
  type InitialClusterOptions,
  readInitialCluster,
  type UrlResolver,
} from "./initial-cluster.ts";
import { findCluster, isBootstrapped, type JoinOptions } from "./join.ts";

/** What finding out takes. */
export interface FoundingOptions extends InitialClusterOptions {
  /** Whether the cluster is founded or exists. */
  readonly initialClusterState: "new" | "existing";
  /** Token of a new cluster, so that two clusters founded alike get different ids. */
  readonly clusterToken: string;
  /** The way to the other members; undefined: there is none, which a cluster of one can do without. */
  readonly peers?: PeerCalls | undefined;
  /** Looks up host names before URLs are compared. */
  readonly resolver: UrlResolver;
  /** Told who did not answer. */
  readonly log: Log;
}

/** The ids of a member. */
export interface Identity {
  /** Its own, fixed for life. */
  readonly memberId: bigint;
  /** That of its cluster. */
  readonly clusterId: bigint;
}

/** A new member. */
export interface NewMember extends Identity {
  /** Everybody in the cluster, this member included. */
  readonly members: readonly PeerMember[];
}

/** A cluster about to be founded. */
export interface Founders extends Identity {
  /** All founders by ascending id, which is the order of their entries in the log. */
  readonly founders: readonly ClusterMember[];
}

/**
 * The founders that `--initial-cluster` names, with their ids.
 *
 * @throws MemberError `CONFIG` as {@link readInitialCluster}
 */
export function readFounders(options: InitialClusterOptions & { readonly clusterToken: string }): Founders {
  const founders = readInitialCluster(options)
    .map(({ name, peerUrls }): ClusterMember => {
      const id = computeMemberId(peerUrls, options.clusterToken);
      return { id, name, peerUrls, clientUrls: [], isLearner: false };
    })
    .sort((left, right) => (left.id < right.id ? -1 : 1));
  const memberId = founders.find(({ name }) => name === options.name)?.id ?? 0n;
  return { memberId, clusterId: computeClusterId(founders.map(({ id }) => id)), founders };
}

/**
 * Finds out who this member is to be.
 *
 * @throws MemberError `CONFIG` if the options contradict each other, `JOIN` if the cluster cannot be joined, or if
 * this member of the cluster to be founded has run before
 */
export function resolveNewMember(options: FoundingOptions): Promise<NewMember> {
  return options.initialClusterState === "new" ? found(options) : join(options);
}

async function found(options: FoundingOptions): Promise<NewMember> {
  const initialMembers = readInitialCluster(options);
  await checkAdvertisedUrls(initialMembers, options, options.resolver);
  const { memberId, clusterId, founders } = readFounders(options);
  const { peers } = options;
  if (peers !== undefined && (await isBootstrapped(joinOptions(options, initialMembers, peers), memberId))) {
    throw new MemberError(
      "JOIN",
      `Cannot found the cluster as member ${formatId(memberId)} of it has already been bootstrapped: its data directory is missing here`,
    );
  }
  return { memberId, clusterId, members: founders };
}

async function join(options: FoundingOptions): Promise<NewMember> {
  const initialMembers = readInitialCluster(options);
  const { peers } = options;
  if (peers === undefined) throw new MemberError("JOIN", "Cannot join a cluster as there is no way to other members");
  return findCluster(joinOptions(options, initialMembers, peers));
}

function joinOptions(
  { name, resolver, log }: FoundingOptions,
  initialMembers: readonly InitialClusterMember[],
  peers: PeerCalls,
): JoinOptions {
  return { name, initialMembers, peers, resolver, log };
}
