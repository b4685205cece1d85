/**
 * @module What a member asks the others before it has a log of its own: whether its cluster runs already, and, if it
 * is to join, which id it was given.
 */
import type { PeerCalls, PeerMember } from "@conclave/peer";
import { formatId } from "../consensus/ids.ts";
import type { Log } from "../log.ts";
import { MemberError } from "../member-error.ts";
import { compareApiLevels, minClusterVersion } from "../membership/api-version.ts";
import { clusterApiVersion } from "../version.ts";
import { type InitialClusterMember, sameUrls, type UrlResolver } from "./initial-cluster.ts";

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
 * @throws MemberError `JOIN` if nobody answers, if the cluster is not the one that `--initial-cluster` describes, if
 * it speaks a version that this member does not, or if this member was part of it before and has lost its data
 */
export async function findCluster(options: JoinOptions): Promise<JoinedCluster> {
  const failures: string[] = [];
  let formerId: bigint | undefined;
  const running = await askOthers(options, {
    timeoutMs: joinTimeoutMs,
    onFailure: (url, reason) => failures.push(`${url} (${reason})`),
    // Who has not heard of the removal yet names the id that this member had before: the next one may know better.
    isWanted: async (answer) => {
      const former = await findFormerSelf(options, answer);
      formerId ??= former?.id;
      return former === undefined;
    },
  });
  if (running === undefined) throw noneToJoin(failures, formerId);
  const memberId = await matchMembers(options, running);
  await checkVersions(options, running, memberId);
  return { ...running, memberId };
}

function noneToJoin(failures: readonly string[], formerId: bigint | undefined): MemberError {
  if (formerId !== undefined) {
    return new MemberError(
      "JOIN",
      `Cannot join the cluster as its member ${formatId(formerId)} with these peer URLs has run before and its data is not here: remove it from the cluster and add it again`,
    );
  }
  const reason = failures.length === 0 ? "--initial-cluster names nobody else" : failures.join(", ");
  return new MemberError("JOIN", `Cannot join the cluster as none of its members can be asked: ${reason}`);
}

/**
 * The member with this one's peer URLs, if it has told its name already: it has run, voted and saved entries. Without
 * its data this one cannot be it; a leader would take for saved what is lost.
 */
async function findFormerSelf(
  { name, initialMembers, resolver }: JoinOptions,
  { members }: RunningCluster,
): Promise<PeerMember | undefined> {
  for (const member of members) {
    if (member.name !== "" && (await findByUrls(initialMembers, member, resolver))?.name === name) return member;
  }
  return undefined;
}

/** Whether the others say that this member of a cluster to be founded has run before: then its data is missing. */
export async function isBootstrapped(options: JoinOptions, memberId: bigint): Promise<boolean> {
  const running = await askOthers(options, { timeoutMs: probeTimeoutMs });
  const known = running?.members.find(({ id }) => id === memberId);
  return known !== undefined && known.clientUrls.length > 0;
}

interface Question {
  /** Longest time that one member may take. */
  readonly timeoutMs: number;
  /** Told who did not answer, and why. Default: nobody is. */
  readonly onFailure?: (url: string, reason: string) => void;
  /** Whether an answer will do. Default: any does. */
  readonly isWanted?: (answer: RunningCluster) => Promise<boolean>;
}

/** Asks one after another until one knows members, and has an answer that is wanted. */
async function askOthers(
  { name, initialMembers, peers, log }: JoinOptions,
  { timeoutMs, onFailure = () => {}, isWanted = async () => true }: Question,
): Promise<RunningCluster | undefined> {
  const others = initialMembers.filter((member) => member.name !== name).flatMap(({ peerUrls }) => peerUrls);
  for (const url of others.sort()) {
    try {
      const answer = await peers.members({ urls: [url], timeoutMs });
      if (answer.members.length === 0) onFailure(url, "knows no members");
      else if (await isWanted(answer)) return answer;
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
