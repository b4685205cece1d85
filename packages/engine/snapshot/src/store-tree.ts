/**
 * @module The data of a raft snapshot as members of etcd before 3.6 need it: what is left of etcd's second API, a tree
 * of keys as JSON, from which they take the membership.
 */
import { utf8 } from "@conclave/base";

/** A member as it stands in the tree. */
export interface StoreTreeMember {
  /** Its id. */
  readonly id: bigint;
  /** Where it serves peers. */
  readonly peerUrls: readonly string[];
  /** Its name; empty if it has not said it yet. */
  readonly name: string;
  /** Where it serves clients; empty if it has not said it yet. */
  readonly clientUrls: readonly string[];
  /** Whether it has no vote. */
  readonly isLearner: boolean;
}

/** A key, with a value or with the keys below it, by the last part of their paths. */
type Tree = string | { readonly [name: string]: Tree };

/**
 * The tree of a cluster.
 *
 * @param members - the members of the cluster
 * @param removed - ids of the members that it once had
 * @param clusterVersion - as in `"3.5.0"`; default: not decided
 */
export function storeTree(
  members: readonly StoreTreeMember[],
  removed: readonly bigint[],
  clusterVersion?: string,
): Uint8Array {
  const tree: Tree = {
    0: {
      members: Object.fromEntries(members.map((member) => [member.id.toString(16), memberTree(member)])),
      ...(removed.length > 0 && { removed_members: Object.fromEntries(removed.map((id) => [id.toString(16), ""])) }),
      ...(clusterVersion !== undefined && { version: clusterVersion }),
    },
    1: {},
  };
  return utf8(JSON.stringify({ Root: nodeOf("/", tree) }));
}

/** Like etcd, says who a member is only once it has said so itself. */
function memberTree({ peerUrls, isLearner, name, clientUrls }: StoreTreeMember): Tree {
  const raftAttributes = JSON.stringify({ peerURLs: peerUrls, ...(isLearner && { isLearner }) });
  if (clientUrls.length === 0) return { raftAttributes };
  return { attributes: JSON.stringify({ name, clientURLs: clientUrls }), raftAttributes };
}

interface Node {
  readonly Path: string;
  readonly Value?: string;
  readonly Children?: Readonly<Record<string, Node>>;
}

function nodeOf(path: string, tree: Tree): Node {
  if (typeof tree === "string") return { Path: path, Value: tree };
  const below = path === "/" ? path : `${path}/`;
  const children = Object.entries(tree).map(([name, child]) => [name, nodeOf(`${below}${name}`, child)]);
  return { Path: path, Children: Object.fromEntries(children) };
}
