/**
 * @module Reads what an etcd left in its data directory, without changing any of it: database, raft snapshots and log,
 * put together as etcd does when it starts.
 *
 * The database says up to which entry it is applied, and everything but the membership is as of that entry. The
 * membership is not: before 3.5 it may be ahead, and what `etcdctl snapshot restore` of 3.4 leaves there is that of
 * another cluster. So it is made anew, from the raft snapshot that the log names and the entries since.
 */
import { type Bucket, utf8Text } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import type { ConfState, Entry } from "@conclave/raft";
import {
  checkDatabaseEntry,
  readDatabase,
  readRaftSnapshotFile,
  SnapshotError,
  type StoreTreeContent,
} from "@conclave/snapshot";
import { type FileSystem, type ReadWal, readWal, validSnapshots, type WalSnapshot } from "@conclave/wal";
import { readConsistentIndex } from "../apply/applied-state.ts";
import { createMembership, type Membership } from "../membership/membership.ts";
import type { AdoptionOptions } from "./adopt.ts";
import { applyToMembership, checkEntries } from "./log-entries.ts";
import { databaseName, raftSnapshotName, receivedDatabaseName } from "./snap-directory.ts";

/** What there is to adopt. */
export interface EtcdState {
  /** The database that counts. */
  readonly databasePath: string;
  /** The last entry that it holds the effects of. */
  readonly applied: number;
  /** The term of that entry. */
  readonly term: number;
  /** The raft configuration at that entry. */
  readonly confState: ConfState;
  /** The membership at that entry, as rows of a store. */
  readonly membershipRows: readonly (readonly [bucket: Bucket, key: Uint8Array, value: Uint8Array])[];
}

interface Database {
  readonly path: string;
  /** The last entry that it holds the effects of. */
  readonly applied: number;
}

type Location = AdoptionOptions & { readonly fileSystem: FileSystem };

/** The newest layout of a database that is read here. */
const storageVersionMax = [3, 7] as const;

/**
 * Reads and checks everything.
 *
 * @throws SnapshotError or WalError for what is damaged or unknown
 */
export async function readEtcdState(options: AdoptionOptions, fileSystem: FileSystem): Promise<EtcdState> {
  const location = { ...options, fileSystem };
  const snapshots = await validSnapshots({ fileSystem, directory: options.walDir });
  const database = await chooseDatabase(location, snapshots.at(-1));
  const base = await findBase(location, snapshots, database);
  const log = await readWal({ fileSystem, directory: options.walDir, from: base.snapshot });
  const term = termOf(log, database.applied);
  checkEntries(log.entries, database.applied);
  const membership = membershipAt(database.applied, base.tree, log, options.maxLearners);
  return { databasePath: database.path, applied: database.applied, term, ...membership };
}

/** The database, or the one that came with a snapshot whose installation a crash interrupted. */
async function chooseDatabase({ memberDir, fileSystem }: Location, newest: WalSnapshot | undefined): Promise<Database> {
  const database = await checkDatabase(fileSystem, `${memberDir}/snap/${databaseName}`);
  if (newest === undefined || newest.index <= database.applied) return database;
  const received = `${memberDir}/snap/${receivedDatabaseName(newest.index)}`;
  if (!(await fileSystem.exists(received)))
    throw corrupt(
      `the database holds entries up to ${database.applied} and the log begins after entry ${newest.index}`,
    );
  // Versions before 3.5 do not write down how far such a database is.
  return { ...(await checkDatabase(fileSystem, received)), applied: newest.index };
}

async function checkDatabase(fileSystem: FileSystem, path: string): Promise<Database> {
  const file = await fileSystem.open(path, { mode: "read" });
  const meta = createMemoryBackend();
  try {
    for await (const entry of readDatabase(file)) {
      checkDatabaseEntry(entry);
      if (entry.bucket !== "meta") continue;
      if (utf8Text(entry.key) === "storageVersion") checkStorageVersion(utf8Text(entry.value));
      meta.put("meta", Uint8Array.from(entry.key), Uint8Array.from(entry.value));
    }
  } finally {
    await file.close();
  }
  return { path, applied: readConsistentIndex(meta) };
}

function checkStorageVersion(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMax, minorMax] = storageVersionMax;
  if (major === majorMax && minor <= minorMax) return;
  throw corrupt(
    `the layout of the database is of version ${version}, and this version reads up to ${majorMax}.${minorMax}`,
  );
}

interface Base {
  /** The record in the log from which it is read. */
  readonly snapshot: WalSnapshot;
  /** The membership there; undefined: none yet. */
  readonly tree: StoreTreeContent | undefined;
}

/** The newest raft snapshot that the log names and the database includes; before the first one, the empty state. */
async function findBase(
  { memberDir, fileSystem }: Location,
  snapshots: readonly WalSnapshot[],
  { applied }: Database,
): Promise<Base> {
  const included = snapshots.filter(({ index }) => index <= applied);
  for (const snapshot of included.reverse()) {
    if (snapshot.index === 0) return { snapshot, tree: undefined };
    const path = `${memberDir}/snap/${raftSnapshotName(snapshot)}`;
    if (await fileSystem.exists(path)) return { snapshot, tree: await readTree(fileSystem, path, snapshot) };
  }
  throw corrupt(`there is no raft snapshot of an entry up to ${applied}, which the database is applied to`);
}

async function readTree(fileSystem: FileSystem, path: string, snapshot: WalSnapshot): Promise<StoreTreeContent> {
  const file = await fileSystem.open(path, { mode: "read" });
  try {
    const { index, term, tree } = readRaftSnapshotFile(await file.read(0, await file.size()));
    if (index !== snapshot.index || term !== snapshot.term)
      throw corrupt(`'${path}' is of entry ${index} in term ${term}, its name says otherwise`);
    if (tree.hasUserKeys)
      throw corrupt("it holds keys of the second API of etcd, which is gone: remove or migrate them");
    return tree;
  } finally {
    await file.close();
  }
}

function termOf({ snapshot, entries }: ReadWal, applied: number): number {
  if (applied === snapshot.index) return snapshot.term;
  const entry = entries.find(({ index }) => index === applied);
  if (entry !== undefined) return entry.term;
  const last = entries.at(-1)?.index ?? snapshot.index;
  throw corrupt(`the database holds entries up to ${applied} and the log ends at ${last}`);
}

function membershipAt(
  applied: number,
  tree: StoreTreeContent | undefined,
  { entries }: { readonly entries: readonly Entry[] },
  maxLearners: number,
): Pick<EtcdState, "confState" | "membershipRows"> {
  const rows = createMemoryBackend();
  const membership = createMembership(rows);
  for (const member of tree?.members ?? []) membership.add(member);
  for (const id of tree?.removed ?? []) membership.remove(id);
  if (tree?.clusterVersion !== undefined) membership.setClusterVersion(tree.clusterVersion);
  for (const entry of entries) if (entry.index <= applied) applyToMembership(entry, membership, maxLearners);
  const membershipRows = (["members", "members_removed", "cluster"] as const).flatMap((bucket) =>
    [...rows.scan(bucket)].map(([key, value]) => [bucket, key, value] as const),
  );
  return { confState: confStateOf(membership), membershipRows };
}

function confStateOf(membership: Membership): ConfState {
  const idsOf = (isLearner: boolean): bigint[] =>
    membership.members().flatMap((member) => (member.isLearner === isLearner ? [member.id] : []));
  return { voters: idsOf(false), learners: idsOf(true), votersOutgoing: [], learnersNext: [], autoLeave: false };
}

function corrupt(reason: string): SnapshotError {
  return new SnapshotError("CORRUPT", reason);
}
