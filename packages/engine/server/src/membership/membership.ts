/**
 * @module The members of the cluster, as the replicated log has made them: kept in memory and in the buckets
 * `members`, `members_removed` and `cluster` of the store, in etcd's own JSON, so that snapshots can be
 * exchanged with it.
 */
import { type Backend, invariant, utf8, utf8Text } from "@conclave/base";
import { formatId } from "../consensus/ids.ts";

/** One member of the cluster. */
export interface ClusterMember {
  /** Its id, fixed for life. */
  readonly id: bigint;
  /** Human-readable name; empty until the member has started and published it. */
  readonly name: string;
  /** URLs that other members reach it at. */
  readonly peerUrls: readonly string[];
  /** URLs that clients reach it at; empty until published. */
  readonly clientUrls: readonly string[];
  /** Whether it only receives the log and has no vote. */
  readonly isLearner: boolean;
}

/** JSON as Go writes it, which escapes what could end a script element in HTML. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Renders a member as etcd stores it and sends it in configuration changes. The id goes out as a decimal number
 * beyond the reach of JSON.stringify, so it is spliced in.
 */
export function formatMember(member: ClusterMember): string {
  const rest = goJson({
    peerURLs: member.peerUrls,
    ...(member.isLearner ? { isLearner: true } : {}),
    ...(member.name !== "" ? { name: member.name } : {}),
    ...(member.clientUrls.length > 0 ? { clientURLs: member.clientUrls } : {}),
  });
  return `{"id":${member.id},${rest.slice(1)}`;
}

/** Renders the change that gives a learner its vote, as etcd sends it. */
export function formatPromotion(id: bigint): string {
  return `{"id":${id},"peerURLs":null,"isPromote":true}`;
}

/** Whether the context of a change is that of {@link formatPromotion}. */
export function isPromotion(text: string): boolean {
  return (JSON.parse(text) as { readonly isPromote?: boolean }).isPromote === true;
}

interface MemberJson {
  readonly peerURLs?: readonly string[] | null;
  readonly isLearner?: boolean;
  readonly name?: string;
  readonly clientURLs?: readonly string[] | null;
}

/**
 * Reads what {@link formatMember} or etcd wrote.
 *
 * @throws SyntaxError if the text is not a member
 */
export function parseMember(text: string): ClusterMember {
  const id = /^\s*\{\s*"id"\s*:\s*(\d+)/.exec(text)?.[1];
  if (id === undefined) throw new SyntaxError(`Cannot read a member from ${JSON.stringify(text)}`);
  const json = JSON.parse(text) as MemberJson;
  return {
    id: BigInt(id),
    name: json.name ?? "",
    peerUrls: json.peerURLs ?? [],
    clientUrls: json.clientURLs ?? [],
    isLearner: json.isLearner ?? false,
  };
}

/** What a member publishes of itself. */
export interface MemberAttributes {
  /** Its name. */
  readonly name: string;
  /** URLs that clients reach it at. */
  readonly clientUrls: readonly string[];
}

/** Renders attributes as etcd up to 3.5 writes them into the log. */
export function formatAttributes({ name, clientUrls }: MemberAttributes): string {
  return goJson({
    ...(name !== "" ? { name } : {}),
    ...(clientUrls.length > 0 ? { clientURLs: clientUrls } : {}),
  });
}

/**
 * Reads what {@link formatAttributes} or etcd wrote.
 *
 * @throws SyntaxError if the text is none
 */
export function parseAttributes(text: string): MemberAttributes {
  const { name = "", clientURLs } = JSON.parse(text) as MemberJson;
  return { name, clientUrls: clientURLs ?? [] };
}

const clusterVersionKey = utf8("clusterVersion");
const downgradeKey = utf8("downgrade");

interface DowngradeJson {
  readonly "target-version": string;
  readonly enabled: boolean;
}

function parseDowngrade(text: string): string | undefined {
  const { "target-version": target, enabled } = JSON.parse(text) as DowngradeJson;
  return enabled ? target : undefined;
}

/** The membership as of the applied log. Changed only by applying entries. */
export interface Membership {
  /** Every member, by ascending id. */
  members(): readonly ClusterMember[];
  /** One member, or undefined. */
  member(id: bigint): ClusterMember | undefined;
  /** Whether a member of this id once left: it can never return. */
  wasRemoved(id: bigint): boolean;
  /** The API level all members speak, like `3.6.0`; undefined until it was decided. */
  readonly clusterVersion: string | undefined;
  /** The API level that the cluster is to go back to, like `3.5.0`; undefined while no downgrade is under way. */
  readonly downgradeTarget: string | undefined;
  /** Adds a member. */
  add(member: ClusterMember): void;
  /** Changes where other members reach a member; does nothing for one that is gone. */
  setPeerUrls(id: bigint, peerUrls: readonly string[]): void;
  /** Gives a learner its vote; does nothing for a member that is gone. */
  promote(id: bigint): void;
  /** Takes a member out for ever. */
  remove(id: bigint): void;
  /** Sets what a member publishes of itself; does nothing for one that is gone. */
  setAttributes(id: bigint, attributes: MemberAttributes): void;
  /** Sets the API level. */
  setClusterVersion(version: string): void;
  /** Begins a downgrade, or with undefined ends it. */
  setDowngradeTarget(version: string | undefined): void;
  /** Reads everything again from a store whose content was replaced. */
  reload(): void;
}

/** Opens the membership that a store holds. */
export function createMembership(backend: Backend): Membership {
  const members = new Map<bigint, ClusterMember>();
  const removed = new Set<bigint>();
  let clusterVersion: string | undefined;
  let downgradeTarget: string | undefined;

  function reload(): void {
    members.clear();
    removed.clear();
    for (const [, value] of backend.scan("members")) {
      const member = parseMember(utf8Text(value));
      members.set(member.id, member);
    }
    for (const [key] of backend.scan("members_removed")) removed.add(BigInt(`0x${utf8Text(key)}`));
    const storedVersion = backend.get("cluster", clusterVersionKey);
    clusterVersion = storedVersion === undefined ? undefined : utf8Text(storedVersion);
    const storedDowngrade = backend.get("cluster", downgradeKey);
    downgradeTarget = storedDowngrade === undefined ? undefined : parseDowngrade(utf8Text(storedDowngrade));
  }

  function change(id: bigint, changes: Partial<Omit<ClusterMember, "id">>): void {
    const member = members.get(id);
    if (member !== undefined) store({ ...member, ...changes });
  }

  function store(member: ClusterMember): void {
    members.set(member.id, member);
    backend.put("members", utf8(formatId(member.id)), utf8(formatMember(member)));
  }

  reload();
  return {
    members: () => [...members.values()].sort((left, right) => (left.id < right.id ? -1 : 1)),
    member: (id) => members.get(id),
    wasRemoved: (id) => removed.has(id),
    get clusterVersion() {
      return clusterVersion;
    },
    get downgradeTarget() {
      return downgradeTarget;
    },
    add(member) {
      invariant(!removed.has(member.id), "a removed member never returns", formatId(member.id));
      store(member);
    },
    remove(id) {
      members.delete(id);
      removed.add(id);
      backend.delete("members", utf8(formatId(id)));
      backend.put("members_removed", utf8(formatId(id)), utf8("removed"));
    },
    setPeerUrls: (id, peerUrls) => change(id, { peerUrls }),
    promote: (id) => change(id, { isLearner: false }),
    setAttributes: (id, { name, clientUrls }) => change(id, { name, clientUrls }),
    setClusterVersion(version) {
      clusterVersion = version;
      backend.put("cluster", clusterVersionKey, utf8(version));
    },
    setDowngradeTarget(version) {
      downgradeTarget = version;
      const stored: DowngradeJson = { "target-version": version ?? "", enabled: version !== undefined };
      backend.put("cluster", downgradeKey, utf8(JSON.stringify(stored)));
    },
    reload,
  };
}
