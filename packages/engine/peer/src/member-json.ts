/** @module Members, versions and hashes in the JSON of etcd's peer endpoints, where ids are numbers of 64 bits. */
import { MalformedError } from "@conclave/base";
import type { HashKVResponse } from "@conclave/protocol/etcdserverpb";
import type { PeerMember, PeerVersion } from "./peer-network.ts";

/** Whole strings, so that nothing inside one is taken for a number, and numbers that a double may not hold. */
const stringsAndLongNumbers = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

/**
 * Reads JSON with long numbers as strings of digits.
 *
 * @throws {@link MalformedError} if it is none
 */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(stringsAndLongNumbers, (token) => (token.startsWith('"') ? token : `"${token}"`)));
  } catch (cause) {
    throw new MalformedError("it is no JSON", { cause });
  }
}

/** The members as etcd lists them. */
export function formatMembers(members: readonly PeerMember[]): string {
  return `[${members.map(formatMember).join(",")}]\n`;
}

function formatMember({ id, name, peerUrls, clientUrls, isLearner }: PeerMember): string {
  const attributes = {
    peerURLs: peerUrls,
    ...(isLearner ? { isLearner } : {}),
    ...(name === "" ? {} : { name }),
    ...(clientUrls.length === 0 ? {} : { clientURLs: clientUrls }),
  };
  return `{"id":${id},${JSON.stringify(attributes).slice(1)}`;
}

/**
 * Reads a list of members.
 *
 * @throws {@link MalformedError} if it is none
 */
export function parseMembers(text: string): readonly PeerMember[] {
  const members = parseJson(text);
  if (!Array.isArray(members)) throw new MalformedError("it is no list of members");
  return members.map((member: unknown) => {
    const { id, name, peerURLs, clientURLs, isLearner } = toRecord(member);
    return {
      id: toId(id),
      name: toText(name),
      peerUrls: toTexts(peerURLs),
      clientUrls: toTexts(clientURLs),
      isLearner: isLearner === true,
    };
  });
}

/** The versions as etcd tells them. */
export function formatVersion({ server, cluster }: PeerVersion): string {
  return JSON.stringify({ etcdserver: server, etcdcluster: cluster });
}

/**
 * Reads versions.
 *
 * @throws {@link MalformedError} if it is none
 */
export function parseVersion(text: string): PeerVersion {
  const { etcdserver, etcdcluster } = toRecord(parseJson(text));
  if (typeof etcdserver !== "string" || typeof etcdcluster !== "string") throw new MalformedError("it has no versions");
  return { server: etcdserver, cluster: etcdcluster };
}

/** The request for a hash. */
export function formatHashRequest(revision: number): string {
  return JSON.stringify({ revision });
}

/**
 * Reads the revision in a request for a hash.
 *
 * @throws {@link MalformedError} if there is none
 */
export function parseHashRequest(text: string): number {
  return toInteger(toRecord(parseJson(text)).revision);
}

/** A hash as etcd tells it. */
export function formatHash({ header, hash, compactRevision, hashRevision }: HashKVResponse): string {
  const fields = header === undefined ? [] : headerFields(header);
  const rest = JSON.stringify({ hash, compact_revision: compactRevision, hash_revision: hashRevision });
  return `{"header":{${fields.join(",")}},${rest.slice(1)}`;
}

/** Written by hand, as JSON.stringify knows no bigint. */
function headerFields(header: NonNullable<HashKVResponse["header"]>): readonly string[] {
  return [
    `"cluster_id":${header.clusterId}`,
    `"member_id":${header.memberId}`,
    `"revision":${header.revision}`,
    `"raft_term":${header.raftTerm}`,
  ];
}

/**
 * Reads a hash.
 *
 * @throws {@link MalformedError} if it is none
 */
export function parseHash(text: string): HashKVResponse {
  const { header, hash, compact_revision, hash_revision } = toRecord(parseJson(text));
  const { cluster_id, member_id, revision, raft_term } = toRecord(header);
  return {
    header: {
      clusterId: toId(cluster_id),
      memberId: toId(member_id),
      revision: toInteger(revision),
      raftTerm: toInteger(raft_term),
    },
    hash: toInteger(hash),
    compactRevision: toInteger(compact_revision),
    hashRevision: toInteger(hash_revision),
  };
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new MalformedError("it is no object");
  return value as Readonly<Record<string, unknown>>;
}

/** An id; 0 is left out by etcd. */
function toId(value: unknown): bigint {
  if (value === undefined) return 0n;
  const isNumber = typeof value === "string" ? /^\d{1,20}$/.test(value) : Number.isSafeInteger(value);
  const id = isNumber ? BigInt(value as string | number) : -1n;
  if (BigInt.asUintN(64, id) === id) return id;
  throw new MalformedError(`${String(value)} is no id`);
}

/** A counter; 0 is left out by etcd. */
function toInteger(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new MalformedError(`${String(value)} is no counter`);
}

function toText(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  throw new MalformedError("a text is none");
}

function toTexts(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map(toText);
  throw new MalformedError("a list is none");
}
