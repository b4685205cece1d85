import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { hex, utf8 } from "@conclave/base";
import { InternalRaftRequest } from "@conclave/protocol/etcdserverpb/internal";
import { Metadata } from "@conclave/protocol/etcdserverpb/metadata";
import { ConfChange, ConfChangeType } from "@conclave/protocol/raftpb";
import { etcdAbsence, seededRandom, simulatedDisk, startEtcd } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { createWal, type FileSystem, nodeFileSystem, openWal, validSnapshots } from "./index.ts";
import { ReadWindow } from "./read-window.ts";
import { RecordEncoder } from "./record-encoder.ts";
import type { WalRecord } from "./records.ts";
import { parseSegmentName } from "./segment-name.ts";
import { SegmentReader } from "./segment-reader.ts";

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const encoded = (encoder: RecordEncoder) => hex(encoder.buffer.view(0, encoder.buffer.length));

/** The first bytes of a log of etcd 3.4.23, and what is said there. */
describe("a record is written as etcd writes it:", () => {
  it("the head of a first segment", () => {
    const encoder = new RecordEncoder();
    encoder.crc();
    encoder.metadata(bytesOf("08ec94eed8bfc4e8aae201 10f89e879294e6d2dbbe01"));
    encoder.snapshot({ index: 0, term: 0 });
    expect(encoded(encoder)).toBe(
      [
        "0400000000000084 08041000 00000000",
        "2000000000000000 0801 10c0caa3fc08 1a16 08ec94eed8bfc4e8aae201 10f89e879294e6d2dbbe01",
        "0d00000000000083 0805 10b085ae37 1a04 08001000 000000",
      ]
        .join("")
        .replaceAll(" ", ""),
    );
    const metadata = Metadata.decode(bytesOf("08ec94eed8bfc4e8aae201 10f89e879294e6d2dbbe01"));
    expect(metadata).toMatchObject({ NodeID: 0xe255a223fb1b8a6cn, ClusterID: 0xbeb74b314241cf78n });
  });

  it("a hard state, and the empty entry of a new leader", () => {
    const encoder = new RecordEncoder(0x2539_165f);
    encoder.state({ term: 1, vote: 0n, commit: 1 });
    encoder.entry({ type: "normal", term: 2, index: 2, data: new Uint8Array(0) });
    expect(encoded(encoder)).toBe(
      ["1000000000000000 0803 10facbe8f304 1a06 080110001801", "0f00000000000081 0802 10cfc2b878 1a06 080010021802 00"]
        .join("")
        .replaceAll(" ", ""),
    );
  });

  it("the checksum at the start of a second segment", () => {
    const encoder = new RecordEncoder(0xd96e_a976);
    encoder.crc();
    expect(encoded(encoder)).toBe("08000000000000000804".concat("10f6d2bacb0d"));
  });
});

/** A log that a real etcd wrote, read record by record and written again. */
async function readAndEncodeAgain(bytes: Uint8Array): Promise<{ records: WalRecord[]; again: Uint8Array }> {
  const disk = simulatedDisk({ random: seededRandom(1) });
  const file = await disk.open("/segment", { mode: "create" });
  await file.write(0, bytes);
  const records: WalRecord[] = [];
  const reader = new SegmentReader(await ReadWindow.of(file), { crc: 0 }, (record) => records.push(record));
  const end = await reader.read();
  expect(end.damage).toBeUndefined();
  const encoder = new RecordEncoder();
  for (const record of records) encodeAgain(encoder, record);
  return { records, again: encoder.buffer.view(0, encoder.buffer.length) };
}

function encodeAgain(encoder: RecordEncoder, record: WalRecord): void {
  if (record.kind === "crc") encoder.crc();
  else if (record.kind === "metadata") encoder.metadata(record.metadata);
  else if (record.kind === "entry") encoder.entry(record.entry);
  else if (record.kind === "state") encoder.state(record.hardState);
  else encoder.snapshot(record.snapshot);
}

async function diskWith(name: string, bytes: Uint8Array): Promise<FileSystem> {
  const disk = simulatedDisk({ random: seededRandom(1) });
  await disk.makeDirectory("/wal", 0o700);
  const file = await disk.open(`/wal/${name}`, { mode: "create" });
  await file.write(0, bytes);
  await file.close();
  return disk;
}

const firstSegment = "0000000000000000-0000000000000000.wal";

describe.each(["3.4", "3.5"] as const)("a log recorded from etcd %s", (version) => {
  const recorded = () => readFile(join(import.meta.dirname, "testdata", `etcd-${version}.wal`));

  it("is read and, encoded again, gives the same bytes", async () => {
    const bytes = await recorded();
    const { records, again } = await readAndEncodeAgain(bytes);
    expect(hex(again)).toBe(hex(bytes));
    expect(new Set(records.map(({ kind }) => kind))).toEqual(
      new Set(["crc", "metadata", "entry", "state", "snapshot"]),
    );
  });

  it("opens with the commands its client gave", async () => {
    const fileSystem = await diskWith(firstSegment, await recorded());
    const { wal, entries, hardState, repaired } = await openWal({ fileSystem, directory: "/wal" });
    await wal.close();
    expect(repaired).toBeNull();
    expect(hardState.commit).toBe(entries.at(-1)?.index);
    expect(entries.map(({ index }) => index)).toEqual(entries.map((_, at) => at + 1));
    const puts = entries.map(keyPut).filter((key) => key !== undefined);
    expect(puts).toEqual(["foo1", "foo2", "foo3", "foo4", "foo5", "foo6", "leased", "big", "last"]);
    const changes = entries.filter(({ type }) => type === "confChange").map(({ data }) => ConfChange.decode(data).type);
    expect(changes).toEqual([ConfChangeType.ConfChangeAddNode, ConfChangeType.ConfChangeAddLearnerNode]);
  });

  it("opens at the snapshot it holds, with the members if etcd recorded them", async () => {
    const fileSystem = await diskWith(firstSegment, await recorded());
    const snapshots = await validSnapshots({ fileSystem, directory: "/wal" });
    expect(snapshots.map(({ index }) => index)).toEqual([0, 9]);
    const from = snapshots[1] ?? expect.unreachable();
    expect(from.confState?.voters.length).toBe(version === "3.4" ? undefined : 1);
    const { wal, entries, snapshot } = await openWal({ fileSystem, directory: "/wal", from });
    await wal.close();
    expect(entries[0]?.index).toBe(10);
    expect(snapshot).toEqual(from);
  });
});

function keyPut({ type, data }: { readonly type: string; readonly data: Uint8Array }): string | undefined {
  // A first byte of 08 is the id of a v2 request, which etcd 3.5 and older write for their own attributes.
  if (type !== "normal" || data.length === 0 || data[0] === 0x08) return undefined;
  const { put } = InternalRaftRequest.decode(data);
  return put === undefined ? undefined : Buffer.from(put.key).toString();
}

describe.each(["3.4", "3.5"] as const)("a running etcd %s", { timeout: 60_000 }, (version) => {
  const absent = etcdAbsence(version);

  it.skipIf(absent)(`writes a log that is read and, encoded again, gives the same bytes ${absent ?? ""}`, async () => {
    await using etcd = await startEtcd({ version, flags: ["--snapshot-count=10"] });
    for (let key = 0; key < 40; key++) await put(etcd.url, `key-${key}`, "v".repeat(key * 40));
    await etcd.kill();
    const directory = join(etcd.dataDir, "member", "wal");
    const [name] = (await readdir(directory)).filter((name) => parseSegmentName(name) !== undefined);
    const bytes = await readFile(join(directory, name ?? ""));
    const { records, again } = await readAndEncodeAgain(bytes);
    expect(hex(again)).toBe(hex(bytes.subarray(0, again.length)));
    expect(records.filter(({ kind }) => kind === "entry").length).toBeGreaterThanOrEqual(40);
  });

  it.skipIf(absent)(`goes on from its own log to which batches were written here ${absent ?? ""}`, async () => {
    await using etcd = await startEtcd({ version });
    await put(etcd.url, "key", "its own");
    await etcd.kill();
    const location = { fileSystem: nodeFileSystem(), directory: join(etcd.dataDir, "member", "wal") };
    const { wal, hardState, entries } = await openWal(location);
    for (let count = 1; count <= 20; count++) {
      const index = entries.length + count;
      const data = putCommand(BigInt(count), "key", `ours ${count}`);
      await wal.save({ ...hardState, commit: index }, [{ type: "normal", term: hardState.term, index, data }]);
    }
    await wal.close();
    await etcd.restart();
    expect(await get(etcd.url, "key")).toBe("ours 20");
  });

  it.skipIf(absent)(`starts on a log written here ${absent ?? ""}`, async () => {
    await using etcd = await startEtcd({ version });
    for (let key = 0; key < 20; key++) await put(etcd.url, `key-${key}`, `value-${key}`);
    await etcd.kill();
    const location = { fileSystem: nodeFileSystem(), directory: join(etcd.dataDir, "member", "wal") };
    const { wal, metadata, hardState, entries } = await openWal(location);
    await wal.close();
    await rm(location.directory, { recursive: true });
    const ours = await createWal({ ...location, metadata });
    // Each save is a batch with a mark of its own.
    for (const entry of entries) await ours.save({ ...hardState, commit: entry.index - 1 }, [entry]);
    await ours.save(hardState, []);
    await ours.close();
    await etcd.restart();
    expect(await get(etcd.url, "key-19")).toBe("value-19");
    await put(etcd.url, "key-19", "changed");
    await etcd.kill();
    const again = await openWal(location);
    await again.wal.close();
    expect(again.entries.slice(0, entries.length)).toEqual(entries);
    expect(again.entries.map(keyPut).at(-1)).toBe("key-19");
  });
});

function putCommand(id: bigint, key: string, value: string): Uint8Array {
  const put = { key: utf8(key), value: utf8(value) };
  return InternalRaftRequest.encode(InternalRaftRequest.fromPartial({ header: { ID: id }, put })).finish();
}

async function put(url: string, key: string, value: string): Promise<void> {
  await call(`${url}/v3/kv/put`, { key: btoa(key), value: btoa(value) });
}

async function get(url: string, key: string): Promise<string | undefined> {
  const { kvs = [] } = await call(`${url}/v3/kv/range`, { key: btoa(key) });
  return kvs[0] === undefined ? undefined : atob(kvs[0].value);
}

async function call(url: string, body: object): Promise<{ kvs?: { value: string }[] }> {
  const reply = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  expect(reply.status).toBe(200);
  return (await reply.json()) as { kvs?: { value: string }[] };
}
