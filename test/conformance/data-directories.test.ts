/**
 * @module Data directories go both ways: what etcd or its tools leave, Conclave takes over; what Conclave saves, etcd's
 * tools restore. Keys, leases, users, revisions and HashKV are the same on the other side.
 */
import { createHash } from "node:crypto";
import { cp, mkdtemp, open, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { binaryString } from "@conclave/base";
import { runConclavectl } from "@conclave/cli";
import { type Server, startServer } from "@conclave/server";
import { readDatabase } from "@conclave/snapshot";
import {
  type EtcdProcess,
  type EtcdVersion,
  etcdAbsence,
  freePorts,
  memberFlags,
  startCluster,
  startEtcd,
  startServerProcess,
} from "@conclave/testkit";
import { nodeFileSystem } from "@conclave/wal";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { base64, fill, hashKv, json, post, programs, run, servedKeys } from "./stored-state.ts";

/** What must be the same on the other side. */
interface State {
  readonly keys: readonly string[];
  readonly hash: unknown;
  readonly revision: unknown;
  readonly lease: unknown;
}

async function stateOf(etcdctl: string, url: string): Promise<State> {
  const { header } = (await json(etcdctl, `--endpoints=${url}`, "get", "no such key")) as {
    header: { revision: number };
  };
  const lease = await json(etcdctl, `--endpoints=${url}`, "lease", "timetolive", "4d");
  return {
    keys: await servedKeys(etcdctl, url),
    hash: await hashKv(etcdctl, url),
    revision: header.revision,
    lease: lease["granted-ttl"],
  };
}

/** The users, roles and alarms in a saved snapshot. */
async function othersIn(path: string): Promise<readonly string[]> {
  const file = await nodeFileSystem().open(path, { mode: "read" });
  const rows: string[] = [];
  try {
    for await (const { bucket, key, value } of readDatabase(file))
      if (/^auth|alarm/.test(bucket)) rows.push(`${bucket} ${binaryString(key)} ${binaryString(value)}`);
  } finally {
    await file.close();
  }
  return rows;
}

interface Started {
  readonly server: Server;
  readonly url: string;
}

/** Starts Conclave on a directory, wherever the member in it was before. */
async function startConclave(dataDir: string, name = "default"): Promise<Started> {
  const [clientPort, peerPort] = await freePorts(2);
  const url = `http://127.0.0.1:${clientPort}`;
  const server = await startServer({
    ...{ name, dataDir },
    ...{ listenClientUrls: [url], advertiseClientUrls: [url] },
    listenPeerUrls: [`http://127.0.0.1:${peerPort}`],
  });
  return { server, url };
}

/** Runs the command of the repository in this process. */
async function conclavectl(...args: readonly string[]): Promise<string> {
  let [out, err] = ["", ""];
  const exit = await runConclavectl({
    args,
    env: {},
    stdin: Readable.from([]),
    out: (text) => {
      out += String(text);
    },
    err: (text) => {
      err += text;
    },
    interruption: () => new AbortController().signal,
  });
  if (exit !== 0) throw new Error(err);
  return out;
}

/** Every file of a directory with a hash of its content, but for the lock that a start takes. */
async function fingerprint(directory: string): Promise<readonly string[]> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  const paths = files
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => path !== join(directory, "lock"));
  return await Promise.all(
    paths.sort().map(
      async (path) =>
        `${path} ${createHash("sha1")
          .update(await readFile(path))
          .digest("hex")}`,
    ),
  );
}

async function flipBytes(path: string, positions: readonly number[]): Promise<void> {
  const file = await open(path, "r+");
  for (const position of positions) {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
    buffer[0] = (buffer[0] ?? 0) ^ 0xff;
    await file.write(buffer, 0, 1, position);
  }
  await file.close();
}

async function pathOf(directory: string, suffix: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(suffix)).sort();
  return join(directory, names.at(-1) ?? "");
}

describe.each<EtcdVersion>(["3.4", "3.5"])("data directories of etcd %s", (version) => {
  const absent = etcdAbsence(version);
  describe.skipIf(absent)(absent ?? "", () => {
    const { etcd: binary, etcdctl, snapshotTool } = programs(version);
    const env = { ...process.env, ETCDCTL_API: "3" };
    let directory: string;
    let etcd: EtcdProcess;
    let before: State;
    /** A snapshot that etcd sent, and a directory that it left when it was killed. */
    let saved: string;
    let left: string;
    let copies = 0;

    const copyOfLeft = async (): Promise<string> => {
      copies += 1;
      const path = join(directory, `copy-${copies}`);
      await cp(left, path, { recursive: true });
      return path;
    };

    const expectConclaveServes = async (dataDir: string, expected: State): Promise<void> => {
      const { server, url } = await startConclave(dataDir);
      try {
        expect(await stateOf(etcdctl, url)).toEqual(expected);
        await run(etcdctl, [`--endpoints=${url}`, "put", "after", "1"], { env });
      } finally {
        await server.stop();
      }
    };

    const withEtcd = async (dataDir: string, test: (url: string) => Promise<void>): Promise<void> => {
      const [clientPort, peerPort] = await freePorts(2);
      const url = `http://127.0.0.1:${clientPort}`;
      const args = memberFlags({
        ...{ name: "default", dataDir, clientUrl: url, peerUrl: `http://127.0.0.1:${peerPort}` },
      });
      const server = await startServerProcess({ name: "etcd", binary, args, url });
      try {
        await test(url);
      } finally {
        await server.kill();
      }
    };

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "conclave-directories-"));
      etcd = await startEtcd({ version, flags: ["--snapshot-count=25"] });
      await fill(etcd);
      before = await stateOf(etcdctl, etcd.url);
      saved = join(directory, "saved.db");
      await run(etcdctl, [`--endpoints=${etcd.url}`, "snapshot", "save", saved], { env });
      await etcd.kill();
      left = join(directory, "left");
      await cp(etcd.dataDir, left, { recursive: true });
    });

    afterAll(async () => {
      await etcd?.[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });

    it("a snapshot of etcd restored by conclavectl boots Conclave, and one of Conclave restored by etcd's tool boots etcd", async () => {
      const dataDir = join(directory, "restored-here");
      await conclavectl("snapshot", "restore", saved, `--data-dir=${dataDir}`);
      const { server, url } = await startConclave(dataDir);
      const [ours, byEtcdctl] = [join(directory, "ours.db"), join(directory, "by-etcdctl.db")];
      let expected: State;
      try {
        expect(await stateOf(etcdctl, url)).toEqual(before);
        await run(etcdctl, [`--endpoints=${url}`, "put", "--lease=4d", "of Conclave", "1"], { env });
        expected = await stateOf(etcdctl, url);
        expect(await conclavectl(`--endpoints=${url}`, "snapshot", "save", ours)).toBe(`Snapshot saved at ${ours}\n`);
        await run(etcdctl, [`--endpoints=${url}`, "snapshot", "save", byEtcdctl], { env });
      } finally {
        await server.stop();
      }
      expect(await othersIn(ours)).toEqual(await othersIn(saved));
      for (const path of [ours, byEtcdctl]) {
        const status = await json(snapshotTool, "snapshot", "status", path);
        expect(JSON.parse(await conclavectl("snapshot", "status", path, "-w", "json"))).toEqual(status);
        const target = `${path}.etcd`;
        await run(snapshotTool, ["snapshot", "restore", path, `--data-dir=${target}`], { env });
        await withEtcd(target, async (restored) => expect(await stateOf(etcdctl, restored)).toEqual(expected));
      }
    });

    it("the directory that a killed etcd leaves is adopted, and its backup starts etcd again", async () => {
      const dataDir = await copyOfLeft();
      await expectConclaveServes(dataDir, before);
      expect(await readdir(join(dataDir, "member", "snap"))).toEqual([]);
      await withEtcd(join(dataDir, "etcd-backup"), async (url) => expect(await stateOf(etcdctl, url)).toEqual(before));
      const { server, url } = await startConclave(dataDir);
      expect(await servedKeys(etcdctl, url)).toContainEqual(expect.stringMatching(/^after /));
      await server.stop();
    });

    it("the directory that etcd's tool restored is adopted", async () => {
      const dataDir = join(directory, "restored-there");
      await run(snapshotTool, ["snapshot", "restore", saved, `--data-dir=${dataDir}`], { env });
      await expectConclaveServes(dataDir, before);
    });

    const raises = async (): Promise<void> => {
      const dataDir = join(directory, "raised");
      const raising = ["--bump-revision=1000", "--mark-compacted"];
      await run(snapshotTool, ["snapshot", "restore", saved, `--data-dir=${dataDir}`, ...raising], { env });
      const { server, url } = await startConclave(dataDir);
      const { revision, keys } = await stateOf(etcdctl, url);
      await server.stop();
      expect({ revision, keys }).toEqual({ revision: Number(before.revision) + 1000, keys: before.keys });
      const ours = join(directory, "raised-here");
      await conclavectl("snapshot", "restore", saved, `--data-dir=${ours}`, ...raising);
      const started = await startConclave(ours);
      expect(await stateOf(etcdctl, started.url)).toMatchObject({ revision, keys });
      await started.server.stop();
    };
    // The tool of 3.4 cannot raise it.
    if (version === "3.5") it("a revision that etcd's tool raised stays raised", raises);

    it.each([
      [
        "a database that is damaged",
        async (member: string) => await flipBytes(join(member, "snap", "db"), [16, 4096 + 16]),
      ],
      ["a database that is cut off", async (member: string) => await truncate(join(member, "snap", "db"), 8192)],
      [
        "a log that is damaged",
        async (member: string) => await flipBytes(await pathOf(join(member, "wal"), ".wal"), [120]),
      ],
      [
        "a raft snapshot that is damaged",
        async (member: string) => await flipBytes(await pathOf(join(member, "snap"), ".snap"), [200]),
      ],
      ["no log", async (member: string) => await rm(join(member, "wal"), { recursive: true })],
      [
        "a store beside the database",
        async (member: string) => await cp(join(member, "wal"), join(member, "store"), { recursive: true }),
      ],
    ])("refuses %s with one line and touches nothing", async (_, damage) => {
      const dataDir = await copyOfLeft();
      await damage(join(dataDir, "member"));
      const found = await fingerprint(dataDir);
      const refusal = await startConclave(dataDir).then(
        async ({ server }) => await server.stop(),
        (error: unknown) => error,
      );
      expect(refusal).toMatchObject({ name: "MemberError", code: expect.stringMatching(/^DATA_DIR_/) });
      expect(String(refusal)).toMatch(/Cannot adopt the data directory '[^\n]*$/);
      expect(await fingerprint(dataDir)).toEqual(found);
    });

    it("refuses the directory of an etcd that runs", async () => {
      await using running = await startEtcd({ version });
      await expect(startConclave(running.dataDir)).rejects.toMatchObject({ code: "DATA_DIR_IN_USE" });
    });

    it("the members of a cluster are replaced one at a time, while it serves", async () => {
      await using cluster = await startCluster({ kind: "etcd", version, size: 3, flags: ["--snapshot-count=25"] });
      const servers: Server[] = [];
      try {
        await post(cluster.members[0]?.url ?? "", "kv/put", { key: base64("start"), value: base64("1") });
        for (const member of cluster.members) {
          const { name, url, peerUrl, dataDir } = member;
          for (let at = 0; at < 40; at++)
            await post(url, "kv/put", { key: base64(`${name}/${at % 7}`), value: base64(String(at)) });
          await member.kill();
          servers.push(
            await startServer({
              ...{ name, dataDir, listenClientUrls: [url], advertiseClientUrls: [url] },
              ...{ listenPeerUrls: [peerUrl], initialAdvertisePeerUrls: [peerUrl] },
            }),
          );
          await run(etcdctl, [`--endpoints=${url}`, "put", "by the new one", name], { env });
        }
        const states = await Promise.all(cluster.members.map(({ url }) => stateOf(etcdctl, url)));
        expect(states).toEqual([states[0], states[0], states[0]]);
        expect(states[0]?.keys).toHaveLength(3 * 7 + 2);
      } finally {
        for (const server of servers) await server.stop();
      }
    });
  });
});
