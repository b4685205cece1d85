/** @module Makes a data directory as an etcd leaves it, so that what is in it can be chosen. */
import { mkdir, writeFile } from "node:fs/promises";
import { type Bucket, crc32c, utf8 } from "@conclave/base";
import { Metadata } from "@conclave/protocol/etcdserverpb/metadata";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { Snapshot } from "@conclave/protocol/raftpb";
import { snapshot as SnapshotFile } from "@conclave/protocol/snappb";
import { type Entry, encodeConfChange } from "@conclave/raft";
import { storeTree, writeDatabase } from "@conclave/snapshot";
import { createWal, nodeFileSystem } from "@conclave/wal";
import { encodeCommand } from "../apply/commands.ts";
import { formatId } from "../consensus/ids.ts";
import { type ClusterMember, formatMember } from "../membership/membership.ts";

/** What is different from a directory in which all is well. */
export interface EtcdDirectoryOptions {
  /** Data of the entries after those that found the cluster and one put. Default: one more put. */
  readonly entries?: readonly Uint8Array[];
  /** Keep a key of the second API in the raft snapshot. Default false. */
  readonly hasUserKeys?: boolean;
  /** Rows of the database beside its own. Default: none. */
  readonly rows?: readonly (readonly [bucket: Bucket, key: Uint8Array, value: Uint8Array])[];
}

/** The member whose directory it is. */
export const etcdMember: ClusterMember = {
  id: 0xabcn,
  name: "default",
  peerUrls: ["http://localhost:2380"],
  clientUrls: ["http://localhost:2379"],
  isLearner: false,
};
/** A member of the cluster that the database was once restored from. */
const formerMember: ClusterMember = { ...etcdMember, id: 0xdefn, peerUrls: ["http://former:2380"] };
/** The database holds the effects of the entries up to this one. */
export const appliedIndex = 2;
const segmentBytes = 64 * 1024;

/** The bytes of an entry that puts a key. */
export function putEntry(key: string): Uint8Array {
  const request = { value: utf8("v"), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  return encodeCommand("put", { ...request, key: utf8(key) }, 7n);
}

/** Makes the directory: one member, a raft snapshot of entry 1, a database of entry 2, and entries beyond. */
export async function makeEtcdDirectory(dataDir: string, options: EtcdDirectoryOptions = {}): Promise<void> {
  const snapDir = `${dataDir}/member/snap`;
  await mkdir(snapDir, { recursive: true });
  await makeLog(`${dataDir}/member/wal`, options.entries ?? [putEntry("b")]);
  await writeFile(`${snapDir}/0000000000000001-0000000000000001.snap`, raftSnapshot(options.hasUserKeys === true));
  await makeDatabase(`${snapDir}/db`, options.rows ?? []);
}

async function makeLog(directory: string, more: readonly Uint8Array[]): Promise<void> {
  const metadata = Metadata.encode({ NodeID: etcdMember.id, ClusterID: 0xccn }).finish();
  const wal = await createWal({ fileSystem: nodeFileSystem(), directory, metadata, segmentBytes });
  const change = { id: 0n, type: "addNode" as const, nodeId: etcdMember.id, context: utf8(formatMember(etcdMember)) };
  const founding: Entry = { type: "confChange", term: 1, index: 1, data: encodeConfChange(change) };
  const entries = [putEntry("a"), ...more].map((data, at): Entry => ({ type: "normal", term: 2, index: at + 2, data }));
  await wal.save({ term: 2, vote: etcdMember.id, commit: 1 + entries.length }, [founding, ...entries]);
  await wal.saveSnapshot({ index: 1, term: 1, confState: confState() });
  await wal.close();
}

function confState() {
  return { voters: [etcdMember.id], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

function raftSnapshot(hasUserKeys: boolean): Uint8Array {
  const tree = Buffer.from(storeTree([etcdMember], [], "3.5.0")).toString();
  const text = hasUserKeys
    ? tree.replace('"Path":"/1","Children":{}', '"Path":"/1","Children":{"k":{"Value":"v"}}')
    : tree;
  const metadata = { confState: confState(), index: 1, term: 1 };
  const data = Snapshot.encode({ data: utf8(text), metadata }).finish();
  return SnapshotFile.encode({ crc: crc32c(data), data }).finish();
}

async function makeDatabase(path: string, more: NonNullable<EtcdDirectoryOptions["rows"]>): Promise<void> {
  const value = KeyValue.encode(
    KeyValue.fromPartial({ key: utf8("a"), value: utf8("v"), createRevision: 2, modRevision: 2, version: 1 }),
  ).finish();
  const rows: typeof more = [
    ["key", Buffer.from("00000000000000025f0000000000000000", "hex"), value],
    ["meta", utf8("consistent_index"), Buffer.from("0000000000000002", "hex")],
    ["members", utf8(formatId(formerMember.id)), utf8(formatMember(formerMember))],
    ...more,
  ];
  const view = {
    scan: (bucket: Bucket) => rows.filter(([name]) => name === bucket).map(([, key, row]) => [key, row] as const),
  };
  const file = await nodeFileSystem().open(path, { mode: "create" });
  await writeDatabase({ view, file });
  await file.close();
}
