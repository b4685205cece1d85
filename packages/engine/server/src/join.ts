/**
 * @module What a member asks the others before it has a log of its own: whether its cluster runs already, and, if it
 * is to join, which id it was given.
 */
import type { PeerCalls, PeerMember } from "@conclave/peer";
import { compareApiLevels, minClusterVersion } from "./api-version.ts";
import { formatId } from "./ids.ts";
import { type InitialClusterMember, sameUrls, type UrlResolver } from "./initial-cluster.ts";
import type { Log } from "./log.ts";
import { MemberError } from "./member-error.ts";
import { clusterApiVersion } from "./version.ts";

/** Longest time that one member of the cluster to be joined may take to answer, as in etcd. */
const joinTimeoutMs = 10_000;
/** Longest time that one member may take to say that the cluster to be founded runs already, as in etcd. */
const probeTimeoutMs = 1000;

/** What asking the others takes. */
export interface JoinOptions {
  /** Name of this member. */
  readonly name: string;
  /** Who is in the cluster, this member included. */
  readonly initialMembers: readonly InitialClusterMember[];
  /** The way to the others. */
  readonly peers: PeerCalls;
  /** Looks up host names before URLs are compared. */
  readonly resolver: UrlResolver;
  /** Told who did not answer. */
  readonly log: Log;
}

/** The cluster that a member joins. */
export interface JoinedCluster {
  /** The id that the cluster gave this member when it was added. */
  readonly memberId: bigint;
  /** The id of the cluster. */
  readonly clusterId: bigint;
  /** Everybody in it, this member included. */
  readonly members: readonly PeerMember[];
}

interface RunningCluster {
  readonly clusterId: bigint;
  readonly members: readonly PeerMember[];
}

/**
 * Finds this member in a running cluster that it was added to.
 *
 * @throws MemberError `JOIN` if nobody answers, if the cluster is not the one that `--initial-cluster` describes, or
 * if it speaks a version that this member does not
 */
export async function findCluster(options: JoinOptions): Promise<JoinedCluster> {
  const failures: string[] = [];
  const running = await askOthers(options, joinTimeoutMs, (url, reason) => failures.push(`${url} (${reason})`));
  if (running === undefined) {
    const reason = failures.length === 0 ? "--initial-cluster names nobody else" : failures.join(", ");
    throw new MemberError("JOIN", `Cannot join the cluster as none of its members can be asked: ${reason}`);
  }
  const memberId = await matchMembers(options, running);
  await checkVersions(options, running, memberId);
  return { ...running, memberId };
}

/** Whether the others say that this member of a cluster to be founded has run before: then its data is missing. */
export async function isBootstrapped(options: JoinOptions, memberId: bigint): Promise<boolean> {
  const running = await askOthers(options, probeTimeoutMs, () => {});
  const known = running?.members.find(({ id }) => id === memberId);
  return known !== undefined && known.clientUrls.length > 0;
}

/** Asks one after another until one knows members. */
async function askOthers(
  { name, initialMembers, peers, log }: JoinOptions,
  timeoutMs: number,
  onFailure: (url: string, reason: string) => void,
): Promise<RunningCluster | undefined> {
  const others = initialMembers.filter((member) => member.name !== name).flatMap(({ peerUrls }) => peerUrls);
  for (const url of others.sort()) {
    try {
      const answer = await peers.members({ urls: [url], timeoutMs });
      if (answer.members.length > 0) return answer;
      onFailure(url, "knows no members");
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.info("a member of the cluster did not tell its members", { url, error: reason });
      onFailure(url, reason);
    }
  }
  return undefined;
}

/** Pairs the members that were configured with those of the cluster by their peer URLs; gives this member's id. */
async function matchMembers(options: JoinOptions, { members }: RunningCluster): Promise<bigint> {
  const { name, initialMembers, resolver } = options;
  if (members.length !== initialMembers.length) {
    throw new MemberError(
      "JOIN",
      `Cannot join the cluster as --initial-cluster has ${initialMembers.length} members (${describe(initialMembers)}) and the cluster has ${members.length} (${describe(members)})`,
    );
  }
  let memberId = 0n;
  for (const member of members) {
    const match = await findByUrls(initialMembers, member, resolver);
    if (match === undefined) {
      throw new MemberError(
        "JOIN",
        `Cannot join the cluster as --initial-cluster (${describe(initialMembers)}) has no member with the peer URLs ${member.peerUrls.join()} of its member ${formatId(member.id)}`,
      );
    }
    if (match.name === name) memberId = member.id;
  }
  if (memberId !== 0n) return memberId;
  const own = initialMembers.find((member) => member.name === name)?.peerUrls.join();
  throw new MemberError("JOIN", `Cannot join the cluster as none of its members has the peer URLs ${own}`);
}

async function findByUrls(
  candidates: readonly InitialClusterMember[],
  { peerUrls }: PeerMember,
  resolver: UrlResolver,
): Promise<InitialClusterMember | undefined> {
  for (const candidate of candidates) if (await sameUrls(candidate.peerUrls, peerUrls, resolver)) return candidate;
  return undefined;
}

function describe(members: readonly Pick<PeerMember, "name" | "peerUrls">[]): string {
  return members.map(({ name, peerUrls }) => peerUrls.map((url) => `${name}=${url}`).join()).join();
}

/** At least one member must say the cluster's version, and none one that this member does not speak. */
async function checkVersions(
  { peers, log }: JoinOptions,
  { members }: RunningCluster,
  memberId: bigint,
): Promise<void> {
  const others = members.filter(({ id }) => id !== memberId);
  const versions = await Promise.all(
    others.map(({ peerUrls: urls }) =>
      peers.version({ urls, timeoutMs: joinTimeoutMs }).catch((error: unknown) => {
        log.warn("a member of the cluster did not tell its version", { urls, error: String(error) });
        return undefined;
      }),
    ),
  );
  const decided = versions.flatMap((version) =>
    version === undefined || version.cluster === "not_decided" ? [] : [version.cluster],
  );
  if (decided.length === 0)
    throw new MemberError("JOIN", "Cannot join the cluster as none of its members knows the cluster's version yet");
  for (const version of decided) {
    if (compareApiLevels(version, minClusterVersion) >= 0 && compareApiLevels(version, clusterApiVersion) <= 0)
      continue;
    throw new MemberError(
      "JOIN",
      `Cannot join the cluster as it speaks version ${version} and this member ${minClusterVersion} to ${clusterApiVersion}`,
    );
  }
}
