/** @module Reading the tree that `storeTree` writes, as etcd of any version wrote it, trusting nothing of it. */
import { utf8Text } from "@conclave/base";
import { SnapshotError } from "./snapshot-error.ts";
import type { StoreTreeMember } from "./store-tree.ts";

/** The membership that a tree tells of. */
export interface StoreTreeContent {
  /** The members of the cluster. */
  readonly members: readonly StoreTreeMember[];
  /** Ids of the members that it once had. */
  readonly removed: readonly bigint[];
  /** As in `"3.5.0"`; undefined if it was not decided. */
  readonly clusterVersion: string | undefined;
  /** Whether clients of etcd's second API kept keys in it. */
  readonly hasUserKeys: boolean;
}

/** What a node of the tree may hold; nothing says that it does. */
interface Node {
  readonly Value?: unknown;
  readonly Children?: unknown;
}

/**
 * Reads a tree.
 *
 * @throws {@link SnapshotError} `CORRUPT` if it is none, or tells of members that cannot be
 */
export function readStoreTree(data: Uint8Array): StoreTreeContent {
  const root = asNode(asObject(parseJson(utf8Text(data))).Root);
  const cluster = childrenOf(childrenOf(root).get("0"));
  const members = [...childrenOf(cluster.get("members"))].map(([id, node]) => memberOf(parseId(id), node));
  const removed = [...childrenOf(cluster.get("removed_members")).keys()].map(parseId);
  const version = cluster.get("version")?.Value;
  return {
    members,
    removed,
    clusterVersion: typeof version === "string" && version !== "" ? version : undefined,
    hasUserKeys: childrenOf(childrenOf(root).get("1")).size > 0,
  };
}

function memberOf(id: bigint, node: Node): StoreTreeMember {
  const parts = childrenOf(node);
  const raft = attributesOf(parts.get("raftAttributes"));
  const own = parts.has("attributes") ? attributesOf(parts.get("attributes")) : {};
  return {
    id,
    peerUrls: texts(raft.peerURLs),
    isLearner: raft.isLearner === true,
    name: typeof own.name === "string" ? own.name : "",
    clientUrls: texts(own.clientURLs),
  };
}

function attributesOf(node: Node | undefined): Readonly<Record<string, unknown>> {
  if (typeof node?.Value !== "string") throw corrupt("a member has no attributes");
  return asObject(parseJson(node.Value));
}

function childrenOf(node: Node | undefined): ReadonlyMap<string, Node> {
  const children = node?.Children;
  if (children === undefined || children === null) return new Map();
  return new Map(Object.entries(asObject(children)).map(([name, child]) => [name, asNode(child)]));
}

function texts(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  throw corrupt("the URLs of a member are no list of texts");
}

function parseId(text: string): bigint {
  if (!/^[0-9a-f]{1,16}$/.test(text)) throw corrupt(`${JSON.stringify(text)} is no id of a member`);
  return BigInt(`0x${text}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's words tell of the text, not of what it was to be.
    throw corrupt("it is no JSON");
  }
}

function asNode(value: unknown): Node {
  return asObject(value);
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw corrupt("it has not the form of a tree");
  return value as Readonly<Record<string, unknown>>;
}

function corrupt(reason: string): SnapshotError {
  return new SnapshotError("CORRUPT", `the tree of members is damaged: ${reason}`);
}
