/**
 * @module Brings a member's state up from its data directory, or founds it: write-ahead log, store, membership and
 * a raft node that stands where the store stands. What the directory says wins over what the options say of the
 * cluster.
 */
import { dirname } from "node:path";
import { type Backend, emptyBytes, invariant, type Random, utf8 } from "@conclave/base";
import type { PeerMember } from "@conclave/peer";
import { Metadata } from "@conclave/protocol/etcdserverpb/metadata";
import {
  type ConfState,
  confChangeOf,
  createRawNode,
  type HardState,
  MemoryLogStorage,
  type RawNode,
} from "@conclave/raft";
import {
  createWal,
  type FileSystem,
  type OpenedWal,
  type OpenWalOptions,
  openWal,
  validSnapshots,
  type Wal,
  type WalSnapshot,
} from "@conclave/wal";
import { readConfState, readConsistentIndex, writeConfState, writeConsistentIndex } from "../apply/applied-state.ts";
import { formatId } from "../consensus/ids.ts";
import { MemberError } from "../member-error.ts";
import { compareApiLevels } from "../membership/api-version.ts";
import { createMembership, formatMember, type Membership } from "../membership/membership.ts";
import { clusterApiVersion } from "../version.ts";
import { type FoundLog, standaloneLog } from "./force-new-cluster.ts";
import { type FoundingOptions, type Identity, type NewMember, readFounders, resolveNewMember } from "./founding.ts";
import { checkLogSchema } from "./log-schema.ts";

/** What founding or reopening a member takes. */
export interface BootstrapOptions extends FoundingOptions {
  /** Directory of the member's state, holding `wal`, `snap` and `store`. */
  readonly memberDir: string;
  /** Directory of the write-ahead log. */
  readonly walDir: string;
  /** Size in bytes at which a segment of the log ends; default: etcd's. */
  readonly segmentBytes?: number;
  /** Ticks without a leader before an election. */
  readonly electionTicks: number;
  /** Ask whether an election could be won before one is called. */
  readonly preVote: boolean;
  /** Bytes of entries in one append to a follower; default: etcd's. */
  readonly maxMessageBytes?: number;
  /** Make the log that of a cluster of one. */
  readonly forceNewCluster: boolean;
  readonly fileSystem: FileSystem;
  readonly random: Random;
  /** Opens the store at a path. */
  readonly openBackend: (path: string) => Promise<Backend>;
  /** Replaces the store by the database that was received with the snapshot of an index; false if there is none. */
  readonly restoreSnapshot: (backend: Backend, index: number) => Promise<boolean>;
  /** Told when the end of the log was cut off after a crash. */
  readonly onRepair: (repair: NonNullable<OpenedWal["repaired"]>) => void;
}

/** A member's state, ready to run. */
export interface MemberState {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly wal: Wal;
  readonly backend: Backend;
  readonly membership: Membership;
  readonly node: RawNode;
  readonly log: MemoryLogStorage;
  /** Index of the last entry the store holds. */
  readonly applied: number;
  /** The raft configuration as of that entry. */
  readonly confState: ConfState;
  /** The snapshot record that the log starts from. */
  readonly snapshot: WalSnapshot;
  /** The other members as far as they are known, although the log may not have told of them yet. */
  readonly peers: readonly PeerMember[];
}

/** The log and the store, found to belong together. */
interface OpenedState {
  readonly identity: Identity;
  readonly backend: Backend;
  readonly membership: Membership;
  readonly opened: OpenedWal;
  readonly log: FoundLog;
}

const emptyHardState: HardState = { term: 0, vote: 0n, commit: 0 };

/**
 * Opens the state in a data directory. If there is none, founds or joins a cluster.
 *
 * @throws MemberError `DATA_DIR_DAMAGED` or `DATA_DIR_MISMATCH` if log and store do not belong together, `REMOVED` if
 * the member was removed from its cluster, and `CONFIG` or `JOIN` if a new member cannot become what the options say
 * @throws WalError if the log is damaged or the disk fails
 */
export async function bootstrap(options: BootstrapOptions): Promise<MemberState> {
  const { fileSystem, memberDir, walDir } = options;
  // Asked before anything is written: what is refused must leave no trace.
  const newMember = (await fileSystem.exists(walDir)) ? undefined : await resolveNewMember(options);
  if (!(await fileSystem.exists(memberDir))) await foundDirectory(fileSystem, memberDir);
  const backend = await options.openBackend(`${memberDir}/store`);
  try {
    if (newMember !== undefined) await foundLog(options, newMember, readConsistentIndex(backend));
    const opened = await openLog(options, backend);
    return await start(options, { backend, opened, newMember });
  } catch (error) {
    await backend.close();
    throw error;
  }
}

interface Opened {
  readonly backend: Backend;
  readonly opened: OpenedWal;
  readonly newMember: NewMember | undefined;
}

async function start(options: BootstrapOptions, { backend, opened, newMember }: Opened): Promise<MemberState> {
  try {
    checkLogSchema(opened.metadata, options.walDir);
    const state = await withStandaloneLog(options, readState(options, backend, opened));
    return assemble(options, state, newMember?.members);
  } catch (error) {
    await opened.wal.close();
    throw error;
  }
}

/** A new directory is there after a power failure only once its parent is synced. */
async function foundDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  await fileSystem.makeDirectory(path, 0o700);
  await fileSystem.syncDirectory(dirname(path));
}

async function foundLog(options: BootstrapOptions, identity: Identity, applied: number): Promise<void> {
  if (applied > 0) {
    throw new MemberError(
      "DATA_DIR_DAMAGED",
      `Cannot start as the write-ahead log '${options.walDir}' is missing beside a store that holds data`,
    );
  }
  const metadata = Metadata.encode({ NodeID: identity.memberId, ClusterID: identity.clusterId }).finish();
  const wal = await createWal({ ...walOptions(options), metadata });
  await wal.close();
}

function walOptions({ fileSystem, walDir: directory, segmentBytes }: BootstrapOptions): Omit<OpenWalOptions, "from"> {
  return { fileSystem, directory, ...(segmentBytes !== undefined && { segmentBytes }) };
}

/** Opens the log at the newest snapshot record whose state the store holds, or can be made to hold. */
async function openLog(options: BootstrapOptions, backend: Backend): Promise<OpenedWal> {
  const snapshots = await validSnapshots(walOptions(options));
  const newest = snapshots.at(-1);
  if (newest !== undefined && newest.index > readConsistentIndex(backend)) await maybeRestore(options, backend, newest);
  const applied = readConsistentIndex(backend);
  const from = snapshots.filter((snapshot) => snapshot.index <= applied).at(-1);
  if (from === undefined) {
    throw new MemberError(
      "DATA_DIR_DAMAGED",
      `Cannot start as the store holds entries up to ${applied} and the write-ahead log begins after ${snapshots[0]?.index ?? 0}`,
    );
  }
  const opened = await openWal({ ...walOptions(options), from });
  if (opened.repaired !== null) options.onRepair(opened.repaired);
  return opened;
}

/** A crash came between the receipt of a snapshot and the replacement of the store: finishes it. */
async function maybeRestore(
  { restoreSnapshot }: BootstrapOptions,
  backend: Backend,
  { index, term, confState }: WalSnapshot,
): Promise<void> {
  if (!(await restoreSnapshot(backend, index))) return;
  // A database of an earlier etcd does not say all of this.
  writeConsistentIndex(backend, index, term);
  if (confState !== undefined) writeConfState(backend, confState);
  await backend.commit();
}

/** Puts log and store together and refuses what cannot be one member's. */
function readState(options: BootstrapOptions, backend: Backend, opened: OpenedWal): OpenedState {
  const identity = readIdentity(opened.metadata);
  const membership = createMembership(backend);
  const applied = readConsistentIndex(backend);
  checkMembership(options, membership, identity);
  if (membership.member(identity.memberId) === undefined && isAddedBy(opened, identity.memberId, applied))
    throw differentMembers(options, membership, identity);
  // A log that was never in a term was never promised to anybody: a crash may have cut its first entries short.
  const untouched = opened.hardState.term === 0;
  const entries = untouched ? [] : opened.entries;
  const lastIndex = entries.at(-1)?.index ?? opened.snapshot.index;
  if (applied > lastIndex) {
    throw new MemberError(
      "DATA_DIR_DAMAGED",
      `Cannot start as the store holds entries up to ${applied} and the write-ahead log ends at ${lastIndex}`,
    );
  }
  // What the store holds was committed, even if the log's own commit index was not synced before a crash.
  const commit = Math.max(opened.hardState.commit, applied);
  const hardState = untouched ? emptyHardState : { ...opened.hardState, commit };
  const confState = confStateOf({ backend, membership, snapshot: opened.snapshot, applied });
  return { identity, backend, membership, opened, log: { hardState, entries, applied, confState } };
}

/** Whether the log adds a member at or before an index. One that joins may have applied less than that. */
function isAddedBy({ snapshot, entries }: OpenedWal, id: bigint, applied: number): boolean {
  const { voters = [], learners = [] } = snapshot.confState ?? {};
  if (voters.includes(id) || learners.includes(id)) return true;
  return entries.some((entry) => {
    const change = entry.index <= applied ? confChangeOf(entry) : undefined;
    return change !== undefined && "nodeId" in change && change.nodeId === id && change.type !== "removeNode";
  });
}

function differentMembers(
  { memberDir }: BootstrapOptions,
  membership: Membership,
  { memberId }: Identity,
): MemberError {
  const known = membership.members().map((member) => formatId(member.id));
  return new MemberError(
    "DATA_DIR_MISMATCH",
    `Cannot start as log and store in '${memberDir}' belong to different members: the log is of ${formatId(memberId)}, the store knows ${known.join(", ") || "none"}`,
  );
}

function checkMembership({ name }: BootstrapOptions, membership: Membership, { memberId, clusterId }: Identity): void {
  if (membership.wasRemoved(memberId)) {
    throw new MemberError(
      "REMOVED",
      `Cannot start as member ${formatId(memberId)} ('${name}') was removed from cluster ${formatId(clusterId)}: remove its data directory, then add it as a new member`,
    );
  }
  const { clusterVersion } = membership;
  if (clusterVersion !== undefined && compareApiLevels(clusterVersion, clusterApiVersion) > 0) {
    throw new MemberError(
      "DATA_DIR_MISMATCH",
      `Cannot start as the cluster has agreed on version ${clusterVersion} and this member speaks ${clusterApiVersion}`,
    );
  }
}

interface ConfStateSources {
  readonly backend: Backend;
  readonly membership: Membership;
  readonly snapshot: WalSnapshot;
  readonly applied: number;
}

/** The record of the very snapshot that the store holds knows best. Databases of earlier etcds may not say it. */
function confStateOf({ backend, membership, snapshot, applied }: ConfStateSources): ConfState {
  if (snapshot.index === applied && snapshot.confState !== undefined) return snapshot.confState;
  const stored = readConfState(backend);
  if (stored.voters.length > 0) return stored;
  const idsOf = (isLearner: boolean): bigint[] =>
    membership.members().flatMap((member) => (member.isLearner === isLearner ? [member.id] : []));
  return { ...stored, voters: idsOf(false), learners: idsOf(true) };
}

async function withStandaloneLog(options: BootstrapOptions, state: OpenedState): Promise<OpenedState> {
  const { opened, log, identity } = state;
  if (!options.forceNewCluster || log.hardState.term === 0) return state;
  const { hardState, entries, appended } = standaloneLog(log, { ...options, id: identity.memberId });
  await opened.wal.save(hardState, appended);
  options.log.warn("made this member a cluster of its own", {
    "member-id": formatId(identity.memberId),
    "dropped-entries": log.entries.length + appended.length - entries.length,
    "membership-changes": appended.length,
  });
  return { ...state, log: { ...log, hardState, entries } };
}

function assemble(
  options: BootstrapOptions,
  { identity, backend, membership, opened, log: found }: OpenedState,
  initialMembers: readonly PeerMember[] | undefined,
): MemberState {
  const { hardState, entries, applied, confState } = found;
  const { wal, snapshot } = opened;
  const { index, term } = snapshot;
  const log = new MemoryLogStorage({
    snapshot: { data: emptyBytes, metadata: { index, term, confState } },
    ...{ confState, hardState, entries },
  });
  const node = createRawNode({
    id: identity.memberId,
    electionTicks: options.electionTicks,
    heartbeatTicks: 1,
    storage: log,
    applied,
    preVote: options.preVote,
    ...(options.maxMessageBytes !== undefined && { maxMessageBytes: options.maxMessageBytes }),
    checkQuorum: true,
    random: options.random,
  });
  if (hardState.term === 0) maybeFound(options, identity, node);
  const others = (initialMembers ?? membership.members()).filter(({ id }) => id !== identity.memberId);
  return { ...identity, wal, backend, membership, node, log, applied, confState, snapshot, peers: others };
}

/**
 * Writes the first entries of a cluster into the log of a founder. A member that joins has none to write: it gets
 * them from the leader.
 */
function maybeFound(options: BootstrapOptions, identity: Identity, node: RawNode): void {
  if (options.initialClusterState !== "new") return;
  const { memberId, clusterId, founders } = readFounders(options);
  if (memberId !== identity.memberId || clusterId !== identity.clusterId) return;
  node.bootstrap(founders.map((founder) => ({ id: founder.id, context: utf8(formatMember(founder)) })));
}

function readIdentity(bytes: Uint8Array): Identity {
  const { NodeID: memberId = 0n, ClusterID: clusterId = 0n } = Metadata.decode(bytes);
  invariant(memberId !== 0n && clusterId !== 0n, "the log names its member and cluster");
  return { memberId, clusterId };
}
