/** @module The headers by which members know each other, and what a member checks in them before anything else. */
import type { IncomingHttpHeaders } from "node:http";
import { formatId, parseId } from "./member-id.ts";
import type { PeerIdentity } from "./peer-network.ts";

/** The oldest version that can be talked to, and that the others must accept. */
const minClusterVersion = "3.0.0";
/** What a member that tells no version is taken for. */
const unknownVersion = "2.0.0";
/** The first version with the streams that are spoken. */
const firstVersionWithStreams = "2.1.0";

/** What a request says of its sender. */
export function identityHeaders(identity: PeerIdentity, serverVersion: string): Readonly<Record<string, string>> {
  return {
    "X-Server-From": formatId(identity.memberId),
    "X-Server-Version": serverVersion,
    "X-Min-Cluster-Version": minClusterVersion,
    "X-Etcd-Cluster-ID": formatId(identity.clusterId),
    "X-PeerURLs": identity.peerUrls.join(","),
  };
}

/** One header; undefined if it is missing. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The member that sent a request, with the URLs it can be answered at; undefined if it does not say. */
export function senderOf(
  headers: IncomingHttpHeaders,
): { readonly id: bigint; readonly urls: readonly string[] } | undefined {
  const id = parseId(header(headers, "x-server-from"));
  const urls = header(headers, "x-peerurls") ?? "";
  return id === undefined || urls === "" ? undefined : { id, urls: urls.split(",") };
}

/** Major and minor of a version as one number, or undefined if it is none. */
function minorOf(version: string): number | undefined {
  const [, major, minor] = /^(\d{1,6})\.(\d{1,6})\.\d/.exec(version) ?? [];
  return major === undefined || minor === undefined ? undefined : Number(major) * 1_000_000 + Number(minor);
}

/** Whether a version is at least another one, by major and minor alone. What is no version is at least none. */
function isAtLeast(version: string, least: string): boolean {
  const [left, right] = [minorOf(version), minorOf(least)];
  return left !== undefined && right !== undefined && left >= right;
}

/** Why the sender of a request cannot be talked to, in etcd's words; undefined if it can. */
export function incompatibility(
  headers: IncomingHttpHeaders,
  home: { readonly clusterId: bigint; readonly serverVersion: string },
): "incompatible version" | "cluster ID mismatch" | undefined {
  const version = header(headers, "x-server-version") ?? unknownVersion;
  const minVersion = header(headers, "x-min-cluster-version") ?? unknownVersion;
  const speaks = isAtLeast(version, minClusterVersion) && isAtLeast(home.serverVersion, minVersion);
  if (!speaks) return "incompatible version";
  return header(headers, "x-etcd-cluster-id") === formatId(home.clusterId) ? undefined : "cluster ID mismatch";
}

/** Why a stream that was answered cannot be read; undefined if it can. */
export function streamObjection(headers: IncomingHttpHeaders, clusterId: bigint): string | undefined {
  const version = header(headers, "x-server-version") ?? unknownVersion;
  if (!isAtLeast(version, firstVersionWithStreams)) return `version ${version} has no streams`;
  const answering = header(headers, "x-etcd-cluster-id");
  return answering === undefined || answering === formatId(clusterId) ? undefined : "cluster ID mismatch";
}
