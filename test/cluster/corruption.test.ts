/** @module A member whose file rots on the disk, in a cluster of processes: found, and kept from serving. */
import { openLmdbBackend } from "@conclave/store-lmdb";
import { type ClusterMember, type ClusterProcesses, startCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { clientOf, eventually, followersOf, program } from "./subject.ts";

/** Flips a bit of the oldest value in the file of a member that is down. */
async function corrupt({ dataDir }: ClusterMember): Promise<void> {
  const backend = await openLmdbBackend({ path: `${dataDir}/member/store` });
  const [entry] = backend.scan("key");
  if (entry === undefined) throw new Error("the store is empty");
  const [key, value] = entry;
  const rotten = value.slice();
  rotten[rotten.length - 1] = (rotten.at(-1) ?? 0) ^ 1;
  backend.put("key", key, rotten);
  await backend.commit();
  await backend.close();
}

/** A cluster with some history, of which one follower was stopped and corrupted. */
async function corruptedFollower(cluster: ClusterProcesses): Promise<ClusterMember> {
  const leader = await cluster.waitForLeader({ among: cluster.members });
  await using client = clientOf(leader);
  for (const key of ["a", "b", "c"]) await client.put(key, "value");
  const [follower] = followersOf(cluster, leader);
  await follower.stop("SIGTERM");
  await corrupt(follower);
  return follower;
}

describe.skipIf(program.kind === "etcd")("a member whose file was corrupted", () => {
  test("refuses to start with --experimental-initial-corrupt-check, in one line that says what to do", async () => {
    await using cluster = await startCluster(program);
    const follower = await corruptedFollower(cluster);
    await follower.restart({ flags: ["--experimental-initial-corrupt-check=true"], until: "launched" });
    await follower.ended();
    expect(follower.exit).toBe(1);
    expect(follower.log).toContain("differs from that of");
    expect(follower.log).toContain("delete its data directory and add it anew");
  });

  test("is named by the alarm CORRUPT with --experimental-corrupt-check-time", async () => {
    await using cluster = await startCluster({ ...program, flags: ["--experimental-corrupt-check-time=1s"] });
    const follower = await corruptedFollower(cluster);
    await follower.restart();
    const leader = await cluster.waitForLeader({ among: cluster.members });
    await using client = clientOf(leader);
    const alarms = await eventually(async () => {
      const active = await client.maintenance.alarms();
      if (active.length === 0) throw new Error("no alarm yet");
      return active;
    });
    expect(alarms.map(({ type }) => type)).toEqual(["CORRUPT"]);
    await expect(client.put("a", "b")).rejects.toMatchObject({
      message: expect.stringContaining("etcdserver: corrupt cluster"),
    });
  });

  test("is named by the alarm CORRUPT with --experimental-compact-hash-check-enabled, after a compaction", async () => {
    const flags = ["--experimental-compact-hash-check-enabled=true", "--experimental-compact-hash-check-time=1s"];
    await using cluster = await startCluster({ ...program, flags });
    const follower = await corruptedFollower(cluster);
    await follower.restart();
    const leader = await cluster.waitForLeader({ among: cluster.members });
    await using client = clientOf(leader);
    const { revision } = await client.put("d", "value");
    await client.compact(revision);
    const { header } = await follower.status();
    const alarms = await eventually(async () => {
      const active = await client.maintenance.alarms();
      if (active.length === 0) throw new Error("no alarm yet");
      return active;
    });
    expect(alarms).toEqual([{ memberId: header.memberId, type: "CORRUPT" }]);
  });
});
