import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, prefix } from "@conclave/client";
import { type ClusterMember, startCluster } from "@conclave/testkit";
import { expect, test } from "vitest";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { clientOf, eventually, followersOf, hashesOf, program } from "./subject.ts";

async function write(client: Client, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await client.put(`acknowledged/${at}`, "x".repeat(100));
}

async function countOf(client: Client): Promise<number> {
  return (await client.range(prefix("acknowledged/"), { countOnly: true })).count;
}

test("most members lost for ever: one is forced to be a cluster of its own, and grows again", async () => {
  await using cluster = await startCluster(program);
  const leader = await cluster.waitForLeader({ among: cluster.members });
  const [survivor, lost] = followersOf(cluster, leader);
  await using client = clientOf(survivor);
  await write(client, 100);
  expect(await countOf(client)).toBe(100); // Linearizable: the survivor has them all.
  await Promise.all([leader.wipe(), lost.wipe()]);
  await expect(client.put("key", "value", { timeoutMs: 2_000 })).rejects.toThrow();
  await survivor.restart({ flags: ["--force-new-cluster"] });
  const { members } = await client.cluster.memberList();
  expect(members.map(({ name }) => name)).toEqual([survivor.name]);
  expect(await countOf(client)).toBe(100);
  await client.put("key", "value");
  // Without the flag it is still what it was made.
  await survivor.restart();
  expect(await countOf(client)).toBe(100);
  for (const dead of [leader, lost]) await cluster.forgetMember(dead);
  await cluster.addMember();
  await cluster.addMember();
  const hashes = await hashesOf(cluster.members);
  expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
});

test("a member whose log is damaged refuses to start and says so, and is replaced while the others serve", async () => {
  await using cluster = await startCluster(program);
  const leader = await cluster.waitForLeader({ among: cluster.members });
  const [damaged, other] = followersOf(cluster, leader);
  await using client = clientOf(leader, other);
  await write(client, 200);
  await damaged.stop();
  await damageLog(damaged);
  // What does not fit shows as a checksum, a length or a record that is none, depending on the byte that it is.
  await expect(damaged.restart()).rejects.toThrow(/crc|damage|checksum|length field|malformed record/i);
  expect(damaged.exit).not.toBe(0);
  await write(client, 200);
  await cluster.replaceMember(damaged);
  const hashes = await hashesOf(cluster.members);
  expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
});

/** Turns bits in the middle of what a member has logged. */
async function damageLog({ dataDir }: ClusterMember): Promise<void> {
  const directory = join(dataDir, "member", "wal");
  const [first] = (await readdir(directory)).filter((name) => name.endsWith(".wal")).sort();
  const path = join(directory, first ?? "");
  const bytes = await readFile(path);
  // The tail of a log file is zero; damage is where something was written.
  const written = bytes.findLastIndex((byte) => byte !== 0);
  bytes.fill(0xa5, written >> 1, (written >> 1) + 64);
  await writeFile(path, bytes);
}

const noRoot = process.getuid?.() === 0 ? undefined : "a disk of its own needs root";

test.skipIf(noRoot)(
  `a member whose disk is full stops, and comes back when there is room ${noRoot ?? ""}`,
  async () => {
    await using cluster = await startCluster(program);
    const leader = await cluster.waitForLeader({ among: cluster.members });
    const [full, other] = followersOf(cluster, leader);
    await full.stop();
    await using disk = await moveToSmallDisk(full.dataDir);
    await full.restart();
    await using workload = new KvWorkload({ endpoints: [leader.endpoint, other.endpoint], clients: 3 });
    await disk.fill();
    await using client = clientOf(leader, other);
    await eventually(async () => {
      await write(client, 50);
      if (full.exit === undefined) throw new Error(`${full.name} still runs with a full disk`);
    });
    // LMDB calls a write that was cut short an error of input or output.
    expect(full.log).toMatch(/no space|input.output error/i);
    await workload.serves();
    await disk.makeRoom();
    await full.restart();
    await workload.verify();
    const hashes = await hashesOf(cluster.members);
    expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
  },
);

interface SmallDisk extends AsyncDisposable {
  /** Takes all the room there is. */
  fill(): Promise<void>;
  /** Gives it back. */
  makeRoom(): Promise<void>;
}

const roomBytes = 4 << 20;

/** Puts a directory on a file system in memory that has little more room than it needs. */
async function moveToSmallDisk(directory: string): Promise<SmallDisk> {
  const copy = await mkdtemp(join(tmpdir(), "conclave-disk-"));
  await cp(directory, copy, { recursive: true });
  const used = Number(spawnSync("du", ["-sb", copy], { encoding: "utf8" }).stdout.split("\t")[0]);
  // Files of the log are made at their full length.
  const sizeBytes = 2 * used + roomBytes;
  run("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", directory]);
  await cp(copy, directory, { recursive: true });
  await rm(copy, { recursive: true });
  const filler = join(directory, "filler");
  return {
    async fill() {
      const { stderr } = spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"], { encoding: "utf8" });
      if (!stderr.includes("No space left")) throw new Error(`cannot fill the disk: ${stderr}`);
      await stat(filler);
    },
    makeRoom: () => rm(filler),
    async [Symbol.asyncDispose]() {
      run("umount", ["--lazy", directory]);
    },
  };
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}
