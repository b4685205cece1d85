/**
 * @module Makes the data directory of a new member from a saved snapshot: the store with the snapshot's content under a
 * membership of its own, and a log that begins there. All members of the new cluster are made from the same file.
 *
 * It is built under another name, `<data-dir>.part`, and renamed once it is durable: what is there under its own name can
 * be started.
 */
import { dirname } from "node:path";
import { asBuffer, type Backend, utf8 } from "@conclave/base";
import { Metadata } from "@conclave/protocol/etcdserverpb/metadata";
import { type ConfState, type Entry, encodeConfChange } from "@conclave/raft";
import { checkSnapshotChecksum, SnapshotError } from "@conclave/snapshot";
import { createWal, type File, type FileSystem } from "@conclave/wal";
import { writeConfState, writeConsistentIndex } from "../apply/applied-state.ts";
import { type Founders, readFounders } from "../bootstrap/founding.ts";
import { checkAdvertisedUrls, readInitialCluster, type UrlResolver } from "../bootstrap/initial-cluster.ts";
import { formatId } from "../consensus/ids.ts";
import { MemberError } from "../member-error.ts";
import { createMembership, formatMember } from "../membership/membership.ts";
import { removeTree } from "./remove-tree.ts";
import { replaceContent } from "./replace-content.ts";
import { compactionRevision } from "./revision-bytes.ts";

/** What to restore, where, and as whom. */
export interface RestoreOptions {
  /** The file: what `Maintenance.Snapshot` sent, or a database of etcd. */
  readonly snapshotPath: string;
  /** The data directory to make. Nothing may be there but an empty directory. */
  readonly dataDir: string;
  /** Where its log goes; empty: `member/wal` in the data directory. Nothing may be there. Default empty. */
  readonly walDir?: string;
  /** Name of the member. */
  readonly name: string;
  /** Members of the new cluster, as `--initial-cluster` has it. */
  readonly initialCluster: string;
  /** Tells the new cluster apart from the one that the snapshot was made of. */
  readonly initialClusterToken: string;
  /** Peer URLs of this member. */
  readonly initialAdvertisePeerUrls: readonly string[];
  /** Take a file without a checksum, such as one copied out of a data directory, or with a wrong one. Default false. */
  readonly skipHashCheck?: boolean;
  /** By how much to raise the revision, so that no client has seen any that follows. Default 0. */
  readonly bumpRevision?: number;
  /** Compact everything up to that revision, so that watchers start anew. Wanted with `bumpRevision`, refused without. */
  readonly markCompacted?: boolean;
}

/** The world in which a snapshot is restored. */
export interface RestorePorts {
  readonly fileSystem: FileSystem;
  /** Opens the store at a path. */
  readonly openBackend: (path: string) => Promise<Backend>;
  readonly resolver: UrlResolver;
}

/** What was restored. */
export interface RestoreReport {
  /** Id of the member. */
  readonly memberId: string;
  /** Id of its cluster. */
  readonly clusterId: string;
  /** The revision that the cluster begins at. */
  readonly revision: number;
}

/** The term of the entries that found a cluster. */
const foundingTerm = 1;
const directoryMode = 0o700;
/** What belongs to the cluster that the snapshot was made of. */
const formerCluster = ["members", "members_removed", "cluster"] as const;

/**
 * Restores a snapshot.
 *
 * @throws MemberError `CONFIG` if the options contradict each other, `SNAPSHOT` if the file cannot be restored,
 * `DATA_DIR_UNUSABLE` if there is something where the directory is to be
 */
export async function restoreSnapshot(options: RestoreOptions, ports: RestorePorts): Promise<RestoreReport> {
  const { name, initialCluster, initialClusterToken: clusterToken, initialAdvertisePeerUrls: peerUrls } = options;
  const founding = { name, initialCluster, clusterToken, peerUrls };
  checkBump(options);
  await checkAdvertisedUrls(readInitialCluster(founding), founding, ports.resolver);
  await checkTarget(options, ports.fileSystem);
  const founders = readFounders(founding);
  const file = await openSnapshot(options, ports.fileSystem);
  try {
    const revision = await build(file, { options, ports, founders });
    return { memberId: formatId(founders.memberId), clusterId: formatId(founders.clusterId), revision };
  } finally {
    await file.close();
  }
}

function checkBump({ bumpRevision = 0, markCompacted = false }: RestoreOptions): void {
  if (bumpRevision > 0 === markCompacted) return;
  throw new MemberError("CONFIG", "--mark-compacted required if --revision-bump > 0");
}

async function checkTarget({ dataDir, walDir = "" }: RestoreOptions, fileSystem: FileSystem): Promise<void> {
  // As with etcd's tools since 3.5, a directory may be there if nothing is in it; one for the log may not.
  if ((await fileSystem.exists(dataDir)) && !(await isEmpty(dataDir, fileSystem)))
    throw new MemberError("DATA_DIR_UNUSABLE", `data-dir ${JSON.stringify(dataDir)} not empty or could not be read`);
  if (walDir !== "" && (await fileSystem.exists(walDir)))
    throw new MemberError("DATA_DIR_UNUSABLE", `wal-dir ${JSON.stringify(walDir)} exists`);
}

async function isEmpty(directory: string, fileSystem: FileSystem): Promise<boolean> {
  try {
    return (await fileSystem.list(directory)).length === 0;
  } catch {
    return false; // A file, or a directory that nobody may look into: not one to restore in.
  }
}

async function openSnapshot(
  { snapshotPath, skipHashCheck = false }: RestoreOptions,
  fileSystem: FileSystem,
): Promise<File> {
  const file = await openFile(fileSystem, snapshotPath);
  try {
    const checksum = await checkSnapshotChecksum(file);
    if (checksum === "missing" && !skipHashCheck)
      throw new MemberError("SNAPSHOT", "snapshot missing hash but --skip-hash-check=false");
    if (checksum === "wrong" && !skipHashCheck)
      throw new MemberError("SNAPSHOT", `Cannot restore '${snapshotPath}': its content does not match its SHA-256`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openFile(fileSystem: FileSystem, path: string): Promise<File> {
  try {
    return await fileSystem.open(path, { mode: "read" });
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const reason = missing ? "no such file or directory" : String(cause);
    throw new MemberError("SNAPSHOT", `open ${path}: ${reason}`, { cause });
  }
}

interface Build {
  readonly options: RestoreOptions;
  readonly ports: RestorePorts;
  readonly founders: Founders;
}

async function build(file: File, { options, ports, founders }: Build): Promise<number> {
  const { dataDir, walDir = "" } = options;
  const { fileSystem } = ports;
  const partial = `${dataDir}.part`;
  const memberDir = `${partial}/member`;
  await removeTree(fileSystem, partial);
  try {
    await fileSystem.makeDirectory(partial, directoryMode);
    await fileSystem.makeDirectory(memberDir, directoryMode);
    const revision = await buildStore(file, `${memberDir}/store`, { options, ports, founders });
    await buildLog(walDir === "" ? `${memberDir}/wal` : walDir, fileSystem, founders);
    await fileSystem.syncDirectory(memberDir);
    await fileSystem.syncDirectory(partial);
    await fileSystem.rename(partial, dataDir);
    await fileSystem.syncDirectory(dirname(dataDir));
    return revision;
  } catch (error) {
    // What cannot be removed is removed by the next try.
    const made = walDir === "" ? [partial] : [partial, `${walDir}.part`, walDir];
    for (const path of made) await removeTree(fileSystem, path).catch(() => {});
    if (error instanceof SnapshotError)
      throw new MemberError("SNAPSHOT", `Cannot restore '${options.snapshotPath}': ${error.message}`, { cause: error });
    throw error;
  }
}

async function buildStore(file: File, path: string, { options, ports, founders }: Build): Promise<number> {
  const backend = await ports.openBackend(path);
  try {
    await replaceContent(backend, file);
    const revision = revisionOf(backend) + (options.bumpRevision ?? 0);
    if (options.markCompacted === true) backend.put("meta", utf8("scheduledCompactRev"), compactionRevision(revision));
    for (const bucket of formerCluster) for (const [key] of [...backend.scan(bucket)]) backend.delete(bucket, key);
    const membership = createMembership(backend);
    for (const founder of founders.founders) membership.add(founder);
    writeConsistentIndex(backend, founders.founders.length, foundingTerm);
    writeConfState(backend, confStateOf(founders));
    await backend.commit();
    return revision;
  } finally {
    await backend.close();
  }
}

/** The newest revision of a store: that of its last key or, if there is no key so new any more, of its compaction. */
function revisionOf(backend: Backend): number {
  const [last] = backend.scan("key", { reverse: true });
  const rows = ["scheduledCompactRev", "finishedCompactRev"].map((name) => backend.get("meta", utf8(name)));
  return Math.max(1, ...[last?.[0], ...rows].map(mainRevision));
}

function mainRevision(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : Number(asBuffer(bytes).readBigUInt64BE(0));
}

/** The log of a cluster that was founded by these members and has done nothing since. */
async function buildLog(directory: string, fileSystem: FileSystem, founders: Founders): Promise<void> {
  const metadata = Metadata.encode({ NodeID: founders.memberId, ClusterID: founders.clusterId }).finish();
  const partial = `${directory}.part`;
  await removeTree(fileSystem, partial);
  const wal = await createWal({ fileSystem, directory: partial, metadata });
  try {
    const entries = founders.founders.map(
      (founder, at): Entry => ({
        type: "confChange",
        term: foundingTerm,
        index: at + 1,
        data: encodeConfChange({ id: 0n, type: "addNode", nodeId: founder.id, context: utf8(formatMember(founder)) }),
      }),
    );
    await wal.save({ term: foundingTerm, vote: 0n, commit: entries.length }, entries);
    await wal.saveSnapshot({ index: entries.length, term: foundingTerm, confState: confStateOf(founders) });
  } finally {
    await wal.close();
  }
  await fileSystem.rename(partial, directory);
  await fileSystem.syncDirectory(dirname(directory));
}

function confStateOf({ founders }: Founders): ConfState {
  return {
    voters: founders.map(({ id }) => id),
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
}
