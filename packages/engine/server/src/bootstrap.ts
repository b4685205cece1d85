/**
 * @module Brings a member's state up from its data directory, or founds it: write-ahead log, store, membership and
 * a raft node that stands where the store stands.
 */
import { dirname } from "node:path";
import { type Backend, emptyBytes, invariant, type Random, utf8 } from "@conclave/base";
import { Metadata } from "@conclave/protocol/etcdserverpb/metadata";
import {
  type ConfState,
  createRawNode,
  type HardState,
  type InitialMember,
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
import { readConfState, readConsistentIndex } from "./applier.ts";
import { computeClusterId, computeMemberId, formatId } from "./ids.ts";
import { MemberError } from "./member-error.ts";
import { createMembership, formatMember, type Membership } from "./membership.ts";

/** What founding or reopening a member takes. */
export interface BootstrapOptions {
  /** Directory of the member's state, holding `wal` and `store`. */
  readonly memberDir: string;
  /** Directory of the write-ahead log. */
  readonly walDir: string;
  /** Size in bytes at which a segment of the log ends; default: etcd's. */
  readonly segmentBytes?: number;
  /** Name of a new member. */
  readonly name: string;
  /** Peer URLs that a new member advertises; its id follows from them. */
  readonly peerUrls: readonly string[];
  /** Token of a new cluster, so that two clusters founded alike get different ids. */
  readonly clusterToken: string;
  /** Ticks without a leader before an election. */
  readonly electionTicks: number;
  readonly fileSystem: FileSystem;
  readonly random: Random;
  /** Opens the store at a path. */
  readonly openBackend: (path: string) => Promise<Backend>;
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
}

interface Identity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

const emptyHardState: HardState = { term: 0, vote: 0n, commit: 0 };
const noMembers: ConfState = { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

/**
 * Opens the state in a data directory, founding a cluster of one if there is none.
 *
 * @throws MemberError `DATA_DIR_DAMAGED` or `DATA_DIR_MISMATCH` if log and store do not belong together
 * @throws WalError if the log is damaged or the disk fails
 */
export async function bootstrap(options: BootstrapOptions): Promise<MemberState> {
  const { fileSystem, memberDir, walDir } = options;
  if (!(await fileSystem.exists(memberDir))) await foundDirectory(fileSystem, memberDir);
  const founded = await fileSystem.exists(walDir);
  const backend = await options.openBackend(`${memberDir}/store`);
  try {
    const applied = readConsistentIndex(backend);
    if (!founded) await foundLog(options, applied);
    const opened = await openLog(options, applied);
    return await assemble(options, backend, applied, opened);
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** A new directory is there after a power failure only once its parent is synced. */
async function foundDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  await fileSystem.makeDirectory(path, 0o700);
  await fileSystem.syncDirectory(dirname(path));
}

async function foundLog(options: BootstrapOptions, applied: number): Promise<void> {
  if (applied > 0) {
    throw new MemberError(
      "DATA_DIR_DAMAGED",
      `Cannot start as the write-ahead log '${options.walDir}' is missing beside a store that holds data`,
    );
  }
  const memberId = computeMemberId(options.peerUrls, options.clusterToken);
  const metadata = Metadata.encode({ NodeID: memberId, ClusterID: computeClusterId([memberId]) }).finish();
  const wal = await createWal({ ...walOptions(options), metadata });
  await wal.close();
}

function walOptions({ fileSystem, walDir: directory, segmentBytes }: BootstrapOptions): Omit<OpenWalOptions, "from"> {
  return { fileSystem, directory, ...(segmentBytes !== undefined && { segmentBytes }) };
}

/** Opens the log at the newest snapshot record whose state the store holds. */
async function openLog(options: BootstrapOptions, applied: number): Promise<OpenedWal> {
  const snapshots = await validSnapshots(walOptions(options));
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

async function assemble(
  options: BootstrapOptions,
  backend: Backend,
  applied: number,
  opened: OpenedWal,
): Promise<MemberState> {
  const identity = readIdentity(opened.metadata);
  const membership = createMembership(backend);
  if (applied > 0 && membership.member(identity.memberId) === undefined) {
    throw new MemberError(
      "DATA_DIR_MISMATCH",
      `Cannot start as log and store in '${options.memberDir}' belong to different members: the log is of ${formatId(identity.memberId)}, the store knows ${
        membership
          .members()
          .map((member) => formatId(member.id))
          .join(", ") || "none"
      }`,
    );
  }
  // A log in which nothing was ever committed is founded again: a crash may have cut its first entry short.
  const fresh = opened.hardState.commit === 0;
  const { hardState } = opened;
  const entries = fresh ? [] : opened.entries;
  const lastIndex = entries.at(-1)?.index ?? opened.snapshot.index;
  if (applied > lastIndex) {
    throw new MemberError(
      "DATA_DIR_DAMAGED",
      `Cannot start as the store holds entries up to ${applied} and the write-ahead log ends at ${lastIndex}`,
    );
  }
  const confState = readConfState(backend) ?? noMembers;
  const log = new MemoryLogStorage({
    snapshot: { data: emptyBytes, metadata: { index: opened.snapshot.index, term: opened.snapshot.term, confState } },
    confState,
    // What the store holds was committed, even if the log's own commit index was not synced before a crash.
    hardState: fresh ? emptyHardState : { ...hardState, commit: Math.max(hardState.commit, applied) },
    entries,
  });
  const node = createRawNode({
    id: identity.memberId,
    electionTicks: options.electionTicks,
    heartbeatTicks: 1,
    storage: log,
    applied,
    preVote: true,
    checkQuorum: true,
    random: options.random,
  });
  if (fresh) node.bootstrap([foundingMember(options, identity.memberId)]);
  return {
    ...identity,
    wal: opened.wal,
    backend,
    membership,
    node,
    log,
    applied,
    confState,
    snapshot: opened.snapshot,
  };
}

function foundingMember({ name, peerUrls }: BootstrapOptions, id: bigint): InitialMember {
  return { id, context: utf8(formatMember({ id, name, peerUrls, clientUrls: [], isLearner: false })) };
}

function readIdentity(bytes: Uint8Array): Identity {
  const { NodeID: memberId = 0n, ClusterID: clusterId = 0n } = Metadata.decode(bytes);
  invariant(memberId !== 0n && clusterId !== 0n, "the log names its member and cluster");
  return { memberId, clusterId };
}
