/**
 * @module What `--initial-cluster` says: who founds a cluster or, for a member that joins one, who is in it already.
 * It counts only while the data directory is empty.
 */
import { isIP } from "node:net";
import { type Scheduler, withoutUserInfo } from "@conclave/base";
import { urlFault } from "../config/urls.ts";
import { MemberError } from "../member-error.ts";

/** One member as `--initial-cluster` names it. */
export interface InitialClusterMember {
  /** Its name. */
  readonly name: string;
  /** Its peer URLs, sorted. */
  readonly peerUrls: readonly string[];
}

/** What the checks of an initial cluster look at. */
export interface InitialClusterOptions {
  /** Value of `--initial-cluster`; empty: this member alone. */
  readonly initialCluster: string;
  /** Name of this member. */
  readonly name: string;
  /** Peer URLs that this member advertises. */
  readonly peerUrls: readonly string[];
}

/** Finds the address of a host. */
export type ResolveHost = (host: string) => Promise<string>;

/** How host names in URLs are looked up before URLs are compared. */
export interface UrlResolver {
  /** Looks up a host. */
  readonly resolveHost: ResolveHost;
  /** Waits between two tries. */
  readonly scheduler: Scheduler;
}

/** A name that is not known yet may be a moment later: containers start before their names. */
const resolveAttemptsMax = 30;
const resolveRetryMs = 1000;

/**
 * Reads the members of an initial cluster. A name that comes up several times has several URLs.
 *
 * @throws MemberError `CONFIG` if an entry is malformed, a URL belongs to two, or this member is not among them
 */
export function readInitialCluster(options: InitialClusterOptions): readonly InitialClusterMember[] {
  const { initialCluster, name, peerUrls } = options;
  if (initialCluster === "") return [{ name, peerUrls: [...peerUrls].sort() }];
  const urlsByName = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const pair of initialCluster.split(",").map((each) => each.trim())) {
    const { member, url } = readPair(pair, initialCluster);
    if (seen.has(url)) throw refusal(initialCluster, `it has the URL ${url} twice`);
    seen.add(url);
    urlsByName.set(member, [...(urlsByName.get(member) ?? []), url]);
  }
  if (!urlsByName.has(name)) throw refusal(initialCluster, `it does not name this member, '${name}'`);
  return [...urlsByName].map(([member, urls]) => ({ name: member, peerUrls: urls.sort() }));
}

function readPair(pair: string, initialCluster: string): { readonly member: string; readonly url: string } {
  const at = pair.indexOf("=");
  if (at <= 0) throw refusal(initialCluster, `'${pair}' must have the form NAME=URL`);
  const url = pair.slice(at + 1);
  const fault = urlFault(url);
  if (fault !== undefined) throw refusal(initialCluster, `URL ${url} ${fault}`);
  return { member: pair.slice(0, at), url };
}

function refusal(initialCluster: string, reason: string): MemberError {
  return new MemberError(
    "CONFIG",
    withoutUserInfo(`Invalid value '${initialCluster}' for --initial-cluster: ${reason}`),
  );
}

/**
 * Checks that this member advertises to its peers what the others are told of it.
 *
 * @throws MemberError `CONFIG` with both values
 */
export async function checkAdvertisedUrls(
  members: readonly InitialClusterMember[],
  { name, peerUrls }: Pick<InitialClusterOptions, "name" | "peerUrls">,
  resolver: UrlResolver,
): Promise<void> {
  const listed = members.find((member) => member.name === name)?.peerUrls ?? [];
  if (await sameUrls(listed, peerUrls, resolver)) return;
  throw new MemberError(
    "CONFIG",
    `--initial-cluster has ${listed.join()} for this member, but --initial-advertise-peer-urls is ${peerUrls.join()}`,
  );
}

/** Whether two lists of URLs lead to the same addresses, in whatever order and by whatever name. */
export async function sameUrls(
  left: readonly string[],
  right: readonly string[],
  resolver: UrlResolver,
): Promise<boolean> {
  if (left.length !== right.length) return false;
  const sorted = (urls: readonly string[]): string => [...urls].sort().join();
  if (sorted(left) === sorted(right)) return true;
  const resolved = (urls: readonly string[]): Promise<string[]> =>
    Promise.all(urls.map((url) => resolveUrl(url, resolver)));
  return sorted(await resolved(left)) === sorted(await resolved(right));
}

/** The URL with the address in place of the host name. `localhost` stays, as it is another host for every member. */
async function resolveUrl(url: string, resolver: UrlResolver): Promise<string> {
  const parts = /^(https?:\/\/)([^/[\]:]+)(:\d+)$/.exec(url);
  const [, scheme = "", host = "", port = ""] = parts ?? [];
  if (parts === null || host === "localhost" || isIP(host) !== 0) return url;
  return `${scheme}${await resolveRepeatedly(host, url, resolver)}${port}`;
}

async function resolveRepeatedly(host: string, url: string, { resolveHost, scheduler }: UrlResolver): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await resolveHost(host);
    } catch (cause) {
      if (attempt === resolveAttemptsMax) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new MemberError("CONFIG", `Cannot find the host of peer URL ${url}: ${reason}`, { cause });
      }
    }
    await new Promise<void>((resolve) => scheduler.after(resolveRetryMs, resolve));
  }
}
