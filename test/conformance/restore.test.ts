/**
 * @module `snapshot restore` beside etcd's own, with everything that a snapshot can hold: users who are asked for their
 * passwords, alarms, deletions, a history that was compacted; several members, of both kinds; and what is refused.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { runConclavectl } from "@conclave/cli";
import { type Server, startServer } from "@conclave/server";
import {
  type EtcdProcess,
  type EtcdVersion,
  etcdAbsence,
  freePorts,
  launchServerProcess,
  memberFlags,
  type ServerCommand,
  type ServerProcess,
  startEtcd,
} from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { base64, fill, post, programs, run } from "./stored-state.ts";

/** Machines that do much else take their time. */
const patient = ["--dial-timeout=30s", "--command-timeout=30s"];
const env = { ...process.env, ETCDCTL_API: "3" };

interface Shown {
  readonly exit: number;
  /** The last line on standard error. */
  readonly error: string;
}

async function conclavectl(...args: readonly string[]): Promise<Shown> {
  let error = "";
  const exit = await runConclavectl({
    args,
    env: {},
    stdin: Readable.from([]),
    out: () => {},
    err: (text) => {
      error += text;
    },
    interruption: () => new AbortController().signal,
  });
  return { exit, error: lastLine(error) };
}

async function tool(program: string, ...args: readonly string[]): Promise<Shown> {
  try {
    await run(program, args, { env });
    return { exit: 0, error: "" };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { exit: code, error: lastLine(stderr) };
  }
}

const lastLine = (text: string) => text.trim().split("\n").at(-1) ?? "";

/** What a server shows of all that it holds, to root. */
async function stateOf(etcdctl: string, url: string): Promise<readonly string[]> {
  const asked: readonly (readonly string[])[] = [
    ["get", "", "--prefix", "-w", "fields"],
    ["get", "key 2/7", "--rev=8", "-w", "fields"],
    ["endpoint", "hashkv"],
    ["lease", "timetolive", "4d"],
    ["user", "list"],
    ["user", "get", "alice", "--detail"],
    ["role", "get", "reader"],
    ["alarm", "list"],
  ];
  const answers: string[] = [];
  for (const question of asked) {
    const { stdout } = await run(etcdctl, [`--endpoints=${url}`, "--user=root:secret", ...patient, ...question], {
      env,
      maxBuffer: 64 * 2 ** 20,
    });
    // Who answers, and how much of a lease is left, is not what is asked.
    answers.push(
      stdout
        .replaceAll(/^"(ClusterID|MemberID|RaftTerm)" : \d+$/gm, "")
        .replaceAll(url, "")
        .replaceAll(/remaining\(\d+s\)/g, ""),
    );
  }
  return answers;
}

/** Users, deletions, a compaction, an alarm; from then on users are asked who they are. */
async function fillWithUsers(server: { readonly url: string }): Promise<void> {
  await fill(server, 4);
  const { url } = server;
  await post(url, "auth/role/grant", {
    name: "reader",
    perm: { permType: "READ", key: base64("key 1"), range_end: base64("key 2") },
  });
  await post(url, "auth/user/add", { name: "alice", password: "wonder" });
  await post(url, "auth/user/grant", { user: "alice", role: "reader" });
  await post(url, "auth/role/add", { name: "root" });
  await post(url, "auth/user/grant", { user: "root", role: "root" });
  await post(url, "kv/deleterange", { key: base64("key 2/7") });
  await post(url, "maintenance/alarm", { action: "ACTIVATE", memberID: "12", alarm: "NOSPACE" });
  await post(url, "auth/enable", {});
}

/** Starts a server that serves, but never says that it is healthy: there is an alarm. */
async function startServing(command: ServerCommand): Promise<ServerProcess> {
  const server = launchServerProcess(command);
  const serves = () =>
    fetch(`${command.url}/version`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await serves())) {
    if (server.exit !== undefined) throw new Error(`Cannot start ${command.name}: ${server.log}`);
    await sleep(50);
  }
  return server;
}

describe.each<EtcdVersion>(["3.4", "3.5"])("snapshots and directories of etcd %s", (version) => {
  const absent = etcdAbsence(version);
  describe.skipIf(absent)(absent ?? "", () => {
    const { etcd: binary, etcdctl, snapshotTool } = programs(version);
    let directory: string;
    let etcd: EtcdProcess;
    let before: readonly string[];
    let saved: string;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "conclave-restore-"));
      etcd = await startEtcd({ version, flags: ["--snapshot-count=20", "--bcrypt-cost=4"] });
      await fillWithUsers(etcd);
      before = await stateOf(etcdctl, etcd.url);
      saved = join(directory, "saved.db");
      await run(etcdctl, [`--endpoints=${etcd.url}`, "--user=root:secret", "snapshot", "save", saved], { env });
    });

    afterAll(async () => {
      await etcd?.[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });

    const withEtcd = async (dataDir: string, flags: readonly string[], test: (url: string) => Promise<void>) => {
      const [clientPort, peerPort] = await freePorts(2);
      const url = `http://127.0.0.1:${clientPort}`;
      const args = memberFlags({
        ...{ name: "default", dataDir, clientUrl: url, peerUrl: `http://127.0.0.1:${peerPort}` },
      });
      const server = await startServing({ name: "etcd", binary, args: [...args, ...flags], url });
      try {
        await test(url);
      } finally {
        await server.kill();
      }
    };

    const withConclave = async (dataDir: string, forceNewCluster: boolean, test: (url: string) => Promise<void>) => {
      const [clientPort, peerPort] = await freePorts(2);
      const url = `http://127.0.0.1:${clientPort}`;
      const server = await startServer({
        ...{ name: "default", dataDir, forceNewCluster, listenClientUrls: [url], advertiseClientUrls: [url] },
        listenPeerUrls: [`http://127.0.0.1:${peerPort}`],
      });
      try {
        await test(url);
      } finally {
        await server.stop();
      }
    };

    /** Users are asked for their passwords, and held to their permissions and to the alarm. */
    const expectGuarded = async (url: string): Promise<void> => {
      const as = async (user: string, ...args: readonly string[]) =>
        (await tool(etcdctl, `--endpoints=${url}`, `--user=${user}`, ...patient, ...args)).exit === 0;
      expect(await as("alice:wonder", "get", "key 1/1")).toBe(true);
      expect(await as("alice:wonder", "get", "key 2/1")).toBe(false);
      expect(await as("alice:wrong", "get", "key 1/1")).toBe(false);
      expect(await as("root:secret", "put", "a", "1")).toBe(false); // The alarm.
    };

    it("keep users, permissions, alarms, deletions and history, here and back there", async () => {
      const here = join(directory, "here");
      expect(await conclavectl("snapshot", "restore", saved, `--data-dir=${here}`)).toMatchObject({ exit: 0 });
      const ours = join(directory, "ours.db");
      await withConclave(here, false, async (url) => {
        expect(await stateOf(etcdctl, url)).toEqual(before);
        await expectGuarded(url);
        const save = [`--endpoints=${url}`, "--user=root:secret", "snapshot", "save", ours];
        expect(await conclavectl(...save)).toMatchObject({ exit: 0 });
        expect((await conclavectl(...save.with(1, "--user=alice:wonder"))).error).toContain("permission denied");
      });
      const there = join(directory, "there");
      await run(snapshotTool, ["snapshot", "restore", ours, `--data-dir=${there}`], { env });
      await withEtcd(there, [], async (url) => {
        expect(await stateOf(etcdctl, url)).toEqual(before);
        await expectGuarded(url);
      });
    });

    it("are adopted with a change of members and a tail that no quorum had, as etcd takes them up itself", async () => {
      const root = [`--endpoints=${etcd.url}`, "--user=root:secret", "--dial-timeout=30s"];
      await run(etcdctl, [...root, "alarm", "disarm"], { env });
      await run(etcdctl, [...root, "put", "last", "2"], { env });
      await run(etcdctl, [...root, "member", "add", "nobody", "--peer-urls=http://127.0.0.1:1"], { env });
      // Of two members one is not there: nothing is committed any more.
      const tail = await tool(etcdctl, ...root, "--command-timeout=1s", "put", "never acknowledged", "1");
      expect(tail.exit).not.toBe(0);
      await etcd.kill();
      const [ours, theirs] = [join(directory, "adopted"), join(directory, "theirs")];
      for (const copy of [ours, theirs]) await cp(etcd.dataDir, copy, { recursive: true });
      let expected: readonly string[] = [];
      await withEtcd(theirs, ["--force-new-cluster"], async (url) => {
        expected = await stateOf(etcdctl, url);
      });
      await withConclave(ours, true, async (url) => {
        expect(await stateOf(etcdctl, url)).toEqual(expected);
        const { stdout } = await run(etcdctl, [`--endpoints=${url}`, "--user=root:secret", "member", "list"], { env });
        expect(stdout.trim().split("\n")).toHaveLength(1);
      });
      expect(expected.join()).not.toContain("never acknowledged");
    });

    it("make one cluster of members that both kinds of tools have restored", async () => {
      const ports = await freePorts(6);
      const members = ["m1", "m2", "m3"].map((name, at) => ({
        ...{ name, dataDir: join(directory, `cluster-${name}`) },
        ...{ url: `http://127.0.0.1:${ports[at]}`, peerUrl: `http://127.0.0.1:${ports[at + 3]}` },
      }));
      const initialCluster = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
      const restore = ({ name, dataDir, peerUrl }: (typeof members)[number]) => [
        ...["snapshot", "restore", saved, `--data-dir=${dataDir}`, `--wal-dir=${dataDir}-wal`, `--name=${name}`],
        ...[`--initial-cluster=${initialCluster}`, "--initial-cluster-token=again"],
        `--initial-advertise-peer-urls=${peerUrl}`,
      ];
      const [m1, m2, m3] = members as [(typeof members)[number], (typeof members)[number], (typeof members)[number]];
      for (const member of [m1, m2]) expect(await conclavectl(...restore(member))).toMatchObject({ exit: 0 });
      await run(snapshotTool, restore(m3), { env });
      const servers: Server[] = [];
      let theirs: ServerProcess | undefined;
      try {
        const start = ({ name, dataDir, url, peerUrl }: (typeof members)[number]) =>
          startServer({
            ...{ name, dataDir, walDir: `${dataDir}-wal`, listenClientUrls: [url], advertiseClientUrls: [url] },
            ...{ listenPeerUrls: [peerUrl], initialAdvertisePeerUrls: [peerUrl] },
          });
        const flags = memberFlags({ name: m3.name, dataDir: m3.dataDir, clientUrl: m3.url, peerUrl: m3.peerUrl });
        const args = [...flags, `--wal-dir=${m3.dataDir}-wal`];
        const [first, second, third] = await Promise.all([
          start(m1),
          start(m2),
          // 3.4 panics at the commands of later versions, which are said before the cluster knows that it is there.
          version === "3.4" ? start(m3) : startServing({ name: "etcd", binary, args, url: m3.url }),
        ]);
        servers.push(first, second);
        if ("stop" in third) servers.push(third);
        else theirs = third;
        for (const { url } of members) expect(await stateOf(etcdctl, url)).toEqual(before);
      } finally {
        await theirs?.kill();
        for (const server of servers) await server.stop();
      }
    });

    it("are refused as etcd's tool refuses them, and nothing is left behind", async () => {
      const place = join(directory, "refusals");
      const file = (name: string) => join(place, name);
      await mkdir(file("full/x"), { recursive: true });
      const bytes = await readFile(saved);
      await writeFile(file("nohash.db"), bytes.subarray(0, -32));
      await writeFile(file("cut.db"), bytes.subarray(0, 9_000));
      // Of another content: the checksum is the last thing in the file.
      await writeFile(
        file("wrong.db"),
        Buffer.concat([bytes.subarray(0, -32), bytes.subarray(-32).map((byte) => ~byte)]),
      );
      const found = (await readdir(place)).sort();
      const out = `--data-dir=${file("out")}`;
      const cases: readonly (readonly [args: readonly string[], error?: RegExp])[] = [
        [[saved, `--data-dir=${file("full")}`], /^Error: data-dir ".*full"/],
        [[saved, out, `--wal-dir=${file("full")}`], /^Error: wal-dir ".*full" exists/],
        [[file("nohash.db"), out], /^Error: snapshot missing hash but --skip-hash-check=false/],
        [[file("cut.db"), out], /^Error: snapshot missing hash but --skip-hash-check=false/],
        [[file("wrong.db"), out]],
        [[file("nosuch.db"), out], /^Error: open .*nosuch.db: no such file or directory/],
        [[saved, out, "--initial-cluster=m1=http://127.0.0.1:1"]],
        [[saved, out, "--name=m1", "--initial-cluster=m1=http://127.0.0.1:1"], /^Error: --initial-cluster has/],
        [[saved, out, "--name=m1", "--initial-cluster=m1=nonsense"]],
        [[saved, out, "--initial-advertise-peer-urls=nonsense"]],
        [[saved, out, "--nosuch"], /^Error: unknown flag: --nosuch/],
        [[saved, saved, out], /^Error: snapshot restore requires exactly one argument/],
        ...(version === "3.5"
          ? [[[saved, out, "--bump-revision=5"]] as const, [[saved, out, "--mark-compacted"]] as const]
          : []),
      ];
      for (const [args, error = /^Error: /] of cases) {
        const theirs = await tool(snapshotTool, "snapshot", "restore", ...args);
        await rm(file("out"), { recursive: true, force: true }); // 3.4 leaves its beginning there.
        const ours = await conclavectl("snapshot", "restore", ...args);
        expect((await readdir(place)).sort(), `${args}`).toEqual(found);
        expect({ args, exit: ours.exit }).toEqual({ args, exit: theirs.exit });
        for (const { error: shown } of [theirs, ours]) expect(shown).toMatch(error);
      }
      for (const args of [["wrong.db"], ["nohash.db"]]) {
        const target = `--data-dir=${file(`${args[0]}.out`)}`;
        const restore = ["snapshot", "restore", file(args[0] ?? ""), target, "--skip-hash-check"];
        expect(await conclavectl(...restore)).toMatchObject({ exit: 0 });
      }
    });
  });
});
