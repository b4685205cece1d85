/**
 * @module Finding the members of a cluster by a registry in another cluster, whose keys are those of etcd's v3
 * discovery:
 *
 * ```
 * /_etcd/registry/<token>/_config/size       how many members the cluster is to have; an operator writes it
 * /_etcd/registry/<token>/members/<id>       "<name>=<peer URL>,…" of each member; the first to come are in
 * ```
 */
import { formatId } from "../consensus/ids.ts";
import { MemberError } from "../member-error.ts";

/** A key and its value. */
export interface RegistryEntry {
  readonly key: string;
  readonly value: string;
  /** Revision at which the key was created: the order in which members came. */
  readonly createRevision: number;
}

/** Where the registry is kept. */
export interface RegistryStore {
  /** The entries whose keys begin with a prefix. */
  list(prefix: string): Promise<readonly RegistryEntry[]>;
  /** Writes an entry. */
  put(key: string, value: string): Promise<void>;
}

/** Who looks for its cluster. */
export interface RegistryOptions {
  /** Token of the cluster to be founded. */
  readonly token: string;
  /** Id of this member. */
  readonly memberId: bigint;
  /** This member in the form of `--initial-cluster`. */
  readonly member: string;
  /** Waits before the registry is looked at again; rejects to give up. */
  readonly pause: () => Promise<void>;
}

interface Registered {
  readonly sizeKey: string;
  readonly prefix: string;
  readonly ownKey: string;
}

/**
 * Registers this member and waits until its cluster is complete.
 *
 * @returns the members in the form of `--initial-cluster`
 * @throws MemberError `CONFIG` if the size of the cluster is not registered or is none, `JOIN` if the cluster is full
 */
export async function clusterFromRegistry(store: RegistryStore, options: RegistryOptions): Promise<string> {
  const root = `/_etcd/registry/${options.token}`;
  const prefix = `${root}/members/`;
  const keys = { sizeKey: `${root}/_config/size`, prefix, ownKey: `${prefix}${formatId(options.memberId)}` };
  const size = await readSize(store, keys.sizeKey, options.token);
  await readMembers(store, keys, size);
  await store.put(keys.ownKey, options.member);
  for (;;) {
    const members = await readMembers(store, keys, size);
    if (members.length === size) return members.map(({ value }) => value.trim()).join();
    await options.pause();
  }
}

async function readSize(store: RegistryStore, key: string, token: string): Promise<number> {
  const entry = (await store.list(key)).find((each) => each.key === key);
  const refuse = (reason: string): MemberError =>
    new MemberError("CONFIG", `Invalid value ${JSON.stringify(token)} for --discovery-token: ${reason}`);
  if (entry === undefined) throw refuse(`the discovery service has no key '${key}' with the size of the cluster`);
  const size = Number(entry.value);
  if (!/^\d+$/.test(entry.value) || !Number.isSafeInteger(size) || size === 0)
    throw refuse(`the discovery service has '${entry.value}' under '${key}', which is no size of a cluster`);
  return size;
}

/** The members that were first, at most as many as the cluster is to have. */
async function readMembers(
  store: RegistryStore,
  { prefix, ownKey }: Registered,
  size: number,
): Promise<readonly RegistryEntry[]> {
  const all = (await store.list(prefix)).filter(({ value }) => value.includes("="));
  const first = [...all].sort((left, right) => left.createRevision - right.createRevision).slice(0, size);
  if (first.length === size && !first.some(({ key }) => key === ownKey))
    throw new MemberError("JOIN", `Cannot join by --discovery-token as its cluster of ${size} is full: ${prefix}`);
  return first;
}
