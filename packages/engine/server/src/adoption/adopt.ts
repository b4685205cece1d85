/**
 * @module Takes over the data directory that an etcd left behind, or that its tools restored. The log goes on as it is;
 * the database becomes the live store; what is changed or not needed any more is kept in a directory of etcd's own form,
 * from which etcd can be started again.
 *
 * ```
 *                        before                       after
 * member/wal             etcd's log                   the same, appended to
 * member/snap            db, *.snap, *.snap.db        empty
 * member/store                                        the store
 * etcd-backup/member                                  wal (a copy), snap (what was there)
 * ```
 * All of it is read and checked before anything is written. Then, in this order, each step durable before the next:
 *
 * 1. the log is copied to `etcd-backup.part`, which becomes `etcd-backup`;
 * 2. the store is made as `member/store.part`, which becomes `member/store`;
 * 3. the files of `member/snap` are moved into the backup, `db` last.
 *
 * While `member/snap/db` is there the directory is etcd's, and a start goes on with the first step that was not finished.
 */
import { type Backend, utf8 } from "@conclave/base";
import { SnapshotError } from "@conclave/snapshot";
import { type FileSystem, WalError } from "@conclave/wal";
import { writeConfState, writeConsistentIndex } from "../apply/applied-state.ts";
import type { Log } from "../log.ts";
import { MemberError } from "../member-error.ts";
import { removeTree } from "../snapshot/remove-tree.ts";
import { replaceContent } from "../snapshot/replace-content.ts";
import { copyFile } from "./copy-file.ts";
import { type EtcdState, readEtcdState } from "./etcd-state.ts";
import { databaseName, isSnapFile } from "./snap-directory.ts";

/** Where the directory is, and the rules of its cluster. */
export interface AdoptionOptions {
  /** `<data-dir>`. */
  readonly dataDir: string;
  /** `<data-dir>/member`. */
  readonly memberDir: string;
  /** Where its log is. */
  readonly walDir: string;
  /** Most learners in the cluster. */
  readonly maxLearners: number;
}

/** The world in which a directory is adopted. */
export interface AdoptionPorts {
  readonly fileSystem: FileSystem;
  /** Opens the store at a path. */
  readonly openBackend: (path: string) => Promise<Backend>;
  /** Whether another process holds the lock that etcd takes on a file of its log. */
  readonly isLocked: (path: string) => Promise<boolean>;
  readonly log: Log;
}

/** Where everything is during an adoption. */
interface Places {
  readonly snapDir: string;
  readonly store: string;
  readonly backup: string;
}

const directoryMode = 0o700;

/**
 * Adopts a directory if it is etcd's; does nothing otherwise.
 *
 * @throws MemberError `DATA_DIR_IN_USE` if an etcd runs on it, `DATA_DIR_DAMAGED` or `DATA_DIR_MISMATCH` if it cannot be
 * adopted: nothing of it was changed then
 */
export async function maybeAdopt(options: AdoptionOptions, ports: AdoptionPorts): Promise<void> {
  const { fileSystem, log } = ports;
  const { dataDir, memberDir } = options;
  const places = { snapDir: `${memberDir}/snap`, store: `${memberDir}/store`, backup: `${dataDir}/etcd-backup` };
  if (!(await fileSystem.exists(`${places.snapDir}/${databaseName}`))) return;
  await refuseWhileInUse(options, ports);
  const hasBackup = await fileSystem.exists(places.backup);
  if (hasBackup && (await fileSystem.exists(`${places.backup}/member/snap/${databaseName}`)))
    throw mismatch(options, `there is a backup of another adoption: move '${places.backup}' away first`);
  if (await fileSystem.exists(places.store)) {
    if (!hasBackup) throw mismatch(options, "it holds a store of Conclave's and a database of etcd's");
  } else {
    const state = await check(options, ports);
    log.info("adopts the data directory of an etcd", { "data-dir": dataDir, "applied-index": state.applied });
    if (!hasBackup) await backUpLog(options, ports, places);
    await makeStore(state, options, ports);
  }
  await moveFiles(fileSystem, places);
  log.info("adopted the data directory of an etcd", { "data-dir": dataDir, backup: places.backup });
}

async function refuseWhileInUse({ dataDir, walDir }: AdoptionOptions, ports: AdoptionPorts): Promise<void> {
  if (!(await ports.fileSystem.exists(walDir))) return;
  for (const name of await ports.fileSystem.list(walDir)) {
    if (!name.endsWith(".wal") || !(await ports.isLocked(`${walDir}/${name}`))) continue;
    throw new MemberError("DATA_DIR_IN_USE", `Cannot adopt the data directory '${dataDir}': an etcd is using it`);
  }
}

/** Reads all of it, to the last byte, before anything is changed. */
async function check(options: AdoptionOptions, { fileSystem }: AdoptionPorts): Promise<EtcdState> {
  try {
    return await readEtcdState(options, fileSystem);
  } catch (error) {
    if (!(error instanceof SnapshotError || error instanceof WalError)) throw error;
    throw new MemberError(
      "DATA_DIR_DAMAGED",
      `Cannot adopt the data directory '${options.dataDir}' of an etcd: ${error.message}`,
      { cause: error },
    );
  }
}

async function backUpLog({ dataDir, walDir }: AdoptionOptions, ports: AdoptionPorts, places: Places): Promise<void> {
  const { fileSystem } = ports;
  const partial = `${places.backup}.part`;
  await removeTree(fileSystem, partial);
  const [memberDir, copies] = [`${partial}/member`, `${partial}/member/wal`];
  for (const path of [partial, memberDir, copies, `${memberDir}/snap`])
    await fileSystem.makeDirectory(path, directoryMode);
  for (const name of await fileSystem.list(walDir))
    if (name.endsWith(".wal")) await copyFile(fileSystem, { from: `${walDir}/${name}`, to: `${copies}/${name}` });
  for (const path of [copies, memberDir, partial]) await fileSystem.syncDirectory(path);
  await fileSystem.rename(partial, places.backup);
  await fileSystem.syncDirectory(dataDir);
}

async function makeStore(state: EtcdState, { memberDir }: AdoptionOptions, ports: AdoptionPorts): Promise<void> {
  const { fileSystem, openBackend } = ports;
  const partial = `${memberDir}/store.part`;
  await removeTree(fileSystem, partial);
  const backend = await openBackend(partial);
  try {
    await fill(backend, state, fileSystem);
  } finally {
    await backend.close();
  }
  await fileSystem.syncDirectory(partial);
  await fileSystem.rename(partial, `${memberDir}/store`);
  await fileSystem.syncDirectory(memberDir);
}

/** The content of the database, under the membership that the log gives at the entry up to which it is applied. */
async function fill(backend: Backend, state: EtcdState, fileSystem: FileSystem): Promise<void> {
  const file = await fileSystem.open(state.databasePath, { mode: "read" });
  try {
    await replaceContent(backend, file);
  } finally {
    await file.close();
  }
  for (const bucket of ["members", "members_removed"] as const)
    for (const [key] of [...backend.scan(bucket)]) backend.delete(bucket, key);
  backend.delete("cluster", utf8("clusterVersion"));
  for (const [bucket, key, value] of state.membershipRows) backend.put(bucket, key, value);
  writeConsistentIndex(backend, state.applied, state.term);
  writeConfState(backend, state.confState);
  await backend.commit();
}

async function moveFiles(fileSystem: FileSystem, { snapDir, backup }: Places): Promise<void> {
  const target = `${backup}/member/snap`;
  const names = (await fileSystem.list(snapDir)).filter(isSnapFile);
  for (const name of names) await fileSystem.rename(`${snapDir}/${name}`, `${target}/${name}`);
  // What is moved must be there under its new name before the last file, by which the adoption is told to be finished.
  await fileSystem.syncDirectory(target);
  await fileSystem.rename(`${snapDir}/${databaseName}`, `${target}/${databaseName}`);
  await fileSystem.syncDirectory(target);
  await fileSystem.syncDirectory(snapDir);
}

function mismatch({ dataDir }: AdoptionOptions, reason: string): MemberError {
  return new MemberError("DATA_DIR_MISMATCH", `Cannot adopt the data directory '${dataDir}' of an etcd: ${reason}`);
}
