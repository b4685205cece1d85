/** @module Databases go both ways: what etcd writes is read here, and what is written here etcd checks, restores and serves. */
import { createHash } from "node:crypto";
import { appendFile, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bucket, binaryString, binaryStringBytes, crc32c, emptyBytes } from "@conclave/base";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { Snapshot } from "@conclave/protocol/raftpb";
import { snapshot as SnapshotFile } from "@conclave/protocol/snappb";
import {
  type DatabaseSource,
  type DatabaseStatus,
  databaseHash,
  readDatabase,
  storeTree,
  writeDatabase,
} from "@conclave/snapshot";
import {
  type EtcdProcess,
  type EtcdVersion,
  etcdAbsence,
  freePorts,
  memberFlags,
  startEtcd,
  startServerProcess,
} from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { base64, fill, hashKv, json, post, programs, run, servedKeys } from "./stored-state.ts";

interface Opened extends DatabaseSource, AsyncDisposable {}

async function openFile(path: string): Promise<Opened> {
  const file = await open(path, "r");
  return {
    size: async () => (await file.stat()).size,
    read: async (position, length) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function hashOf(path: string): Promise<DatabaseStatus> {
  await using file = await openFile(path);
  return await databaseHash(file);
}

type Content = Map<Bucket, [key: Uint8Array, value: Uint8Array][]>;

async function contentOf(path: string): Promise<Content> {
  await using file = await openFile(path);
  const content: Content = new Map();
  for await (const { bucket, key, value } of readDatabase(file)) {
    const entries = content.get(bucket) ?? [];
    content.set(bucket, entries);
    entries.push([Uint8Array.from(key), Uint8Array.from(value)]);
  }
  return content;
}

/** The live keys with their values and leases, as the history in a database gives them. */
function liveKeys(content: Content): string[] {
  const live = new Map<string, string>();
  for (const [revision, bytes] of content.get("key") ?? []) {
    const { key, value, lease } = KeyValue.decode(bytes);
    if (revision.length === 18) live.delete(binaryString(key));
    else live.set(binaryString(key), `${createHash("sha1").update(value).digest("hex")} ${lease}`);
  }
  return [...live].sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, value]) => `${key} ${value}`);
}

/** Puts a tree made here into the raft snapshot of a member that was restored, in place of the one that is there. */
async function putStoreTree(dataDir: string): Promise<void> {
  const path = join(dataDir, "member", "snap", "0000000000000001-0000000000000001.snap");
  const { metadata } = Snapshot.decode(SnapshotFile.decode(await readFile(path)).data ?? emptyBytes);
  const [id = 0n] = metadata?.confState?.voters ?? [];
  const member = { id, peerUrls: ["http://localhost:2380"], name: "", clientUrls: [], isLearner: false };
  const data = Snapshot.encode({ metadata, data: storeTree([member], [12n], "3.4.0") }).finish();
  await writeFile(path, SnapshotFile.encode({ crc: crc32c(data), data }).finish());
}

/** A database written here, as a snapshot stream would be saved: with a checksum behind it. */
async function save(content: Content, path: string): Promise<number> {
  await writeFile(path, "");
  const file = await open(path, "r+");
  const view = { scan: (bucket: Bucket) => content.get(bucket) ?? [] };
  const sink = {
    write: async (position: number, bytes: Uint8Array) => void (await file.write(bytes, 0, bytes.length, position)),
  };
  const { sizeBytes } = await writeDatabase({ view, file: sink });
  const bytes = Buffer.alloc(sizeBytes);
  await file.read(bytes, 0, sizeBytes, 0);
  await file.close();
  await appendFile(path, createHash("sha256").update(bytes).digest());
  return sizeBytes;
}

describe.each<EtcdVersion>(["3.4", "3.5"])("databases of etcd %s", (version) => {
  const absent = etcdAbsence(version);
  describe.skipIf(absent)(absent ?? "", () => {
    const { etcd: binary, etcdctl, snapshotTool } = programs(version);
    let directory: string;
    let etcd: EtcdProcess;
    let theirs: string;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "conclave-snapshot-"));
      etcd = await startEtcd({ version });
      await fill(etcd);
      theirs = join(directory, "theirs.db");
      await json(etcdctl, `--endpoints=${etcd.url}`, "snapshot", "save", theirs).catch(() => {}); // Prints no JSON.
    });

    afterAll(async () => {
      await etcd?.[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });

    it("are read completely, with the checksum that etcd computes", async () => {
      expect(await hashOf(theirs)).toEqual(statusOf(await json(snapshotTool, "snapshot", "status", theirs)));
      const content = await contentOf(theirs);
      expect(liveKeys(content)).toEqual(await servedKeys(etcdctl, etcd.url));
      expect(content.get("authRoles")?.map(([name]) => binaryString(name))).toEqual(["reader"]);
      expect(content.get("authUsers")?.map(([name]) => binaryString(name))).toEqual(["root"]);
      expect(content.get("lease")).toHaveLength(1);
      expect(content.get("members")).toHaveLength(1);
    });

    it("are read as they lie in the data directory of a member that was killed", async () => {
      await etcd.kill();
      const content = await contentOf(join(etcd.dataDir, "member", "snap", "db"));
      expect(liveKeys(content).slice(-2)[0]).toMatch(/^large /);
      await etcd.restart();
    });

    it("pass etcd's check when they were written here, with the same checksum", async () => {
      const ours = join(directory, "ours.db");
      const sizeBytes = await save(await contentOf(theirs), ours);
      const status = statusOf(await json(snapshotTool, "snapshot", "status", ours));
      expect(await hashOf(ours)).toEqual(status);
      expect(status).toEqual({ ...(await hashOf(theirs)), sizeBytes });
    });

    it("are restored and served by etcd, with the same HashKV, when they and the tree of members were written here", async () => {
      const ours = join(directory, "ours.db");
      await save(await contentOf(theirs), ours);
      const dataDir = join(directory, "restored");
      await run(snapshotTool, ["snapshot", "restore", ours, `--data-dir=${dataDir}`], {
        env: { ...process.env, ETCDCTL_API: "3" },
      });
      await putStoreTree(dataDir);
      const [clientPort, peerPort] = await freePorts(2);
      const [url, peerUrl] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
      const args = memberFlags({ name: "default", dataDir, clientUrl: url, peerUrl });
      const restored = await startServerProcess({ name: "etcd", binary, args, url });
      try {
        expect(await servedKeys(etcdctl, url)).toEqual(await servedKeys(etcdctl, etcd.url));
        expect(await hashKv(etcdctl, url)).toBe(await hashKv(etcdctl, etcd.url));
        await post(url, "kv/put", { key: base64("after"), value: base64("1") });
        expect(await post(url, "cluster/member/list", {})).toMatchObject({
          members: [{ name: "default", peerURLs: ["http://localhost:2380"], clientURLs: [url] }],
        });
        expect(await servedKeys(etcdctl, url)).toContainEqual(expect.stringMatching(/^after /));
      } finally {
        await restored.kill();
      }
    });

    it("are written here for keys and values of all sizes as etcd's check wants them", async () => {
      const revisions = Array.from({ length: 30_000 }, (_, number): [Uint8Array, Uint8Array] => [
        revisionKey(number + 2),
        KeyValue.encode(
          KeyValue.fromPartial({
            key: binaryStringBytes(`k${number % 700}`),
            value: new Uint8Array((number * 37) % 211),
          }),
        ).finish(),
      ]);
      const longNames = Array.from({ length: 300 }, (_, number): [Uint8Array, Uint8Array] => [
        binaryStringBytes(String(number).padStart(1_300, "0")),
        new Uint8Array((number * 977) % 20_000),
      ]);
      const path = join(directory, "all-sizes.db");
      await save(
        new Map([
          ["key", revisions],
          ["authUsers", longNames],
        ]),
        path,
      );
      expect(await hashOf(path)).toEqual(statusOf(await json(snapshotTool, "snapshot", "status", path)));
    });
  });
});

function statusOf(status: Record<string, unknown>): unknown {
  const { hash, revision, totalKey: totalKeys, totalSize: sizeBytes } = status;
  return { hash, revision, totalKeys, sizeBytes };
}

function revisionKey(main: number): Uint8Array {
  const key = Buffer.alloc(17);
  key.writeBigUInt64BE(BigInt(main));
  key.write("_", 8);
  return key;
}
