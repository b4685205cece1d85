/**
 * @module A member whose store rots is found: when it starts, by the leader's periodic check, and by what compactions
 * leave. A bit is flipped in a value that was stored; the log says nothing of it.
 */
import type { MemberSettings } from "@conclave/server";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const minuteMs = 60_000;

async function clusterWith(settings: Partial<MemberSettings>, seed: number): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ seed, settings });
  await cluster.run(() => cluster.start());
  return cluster;
}

/** Flips a bit in the oldest value that a machine's member has stored; returns the member's id. */
async function corrupt(cluster: SimulatedCluster, name: string): Promise<bigint> {
  const { member } = cluster.machine(name);
  if (member === undefined) throw new Error(`${name} has no member to corrupt`);
  const [entry] = member.backend.scan("key");
  if (entry === undefined) throw new Error(`${name} has stored nothing`);
  const [key, value] = entry;
  const rotten = value.slice();
  rotten[rotten.length - 1] = (rotten.at(-1) ?? 0) ^ 1;
  member.backend.put("key", key, rotten);
  await member.flush();
  return member.id;
}

/** Some writes, after which there is a leader, and a follower that is not. */
async function someHistory(cluster: SimulatedCluster): Promise<{ leader: string; follower: string }> {
  const { client } = cluster.client();
  for (const key of ["a", "b", "c"]) await client.put(key, "value");
  const leader = await cluster.waitForLeader();
  const follower = [...cluster.machines.keys()].find((name) => name !== leader);
  if (follower === undefined) throw new Error("a cluster of three has followers");
  return { leader, follower };
}

describe("a member whose store was corrupted", () => {
  test("is named by the alarm CORRUPT within a period of the check; then nothing is written any more, but read", async () => {
    const cluster = await clusterWith({ corruptCheckMs: minuteMs }, 1);
    await cluster.run(async () => {
      const { client } = cluster.client();
      const { follower } = await someHistory(cluster);
      const memberId = await corrupt(cluster, follower);
      await cluster.sleep(2 * minuteMs);
      expect(await client.maintenance.alarms()).toEqual([{ memberId, type: "CORRUPT" }]);
      await expect(client.put("a", "again")).rejects.toMatchObject({ message: expect.stringContaining("corrupt") });
      expect((await client.get("b"))?.valueString).toBe("value");
      await client.maintenance.disarmAlarms({ memberId, type: "CORRUPT" });
      await client.put("a", "again");
    });
  });

  test("is named while it leads, by whoever leads then", async () => {
    const cluster = await clusterWith({ corruptCheckMs: minuteMs }, 2);
    await cluster.run(async () => {
      const { leader } = await someHistory(cluster);
      await corrupt(cluster, leader);
      await cluster.sleep(2 * minuteMs);
      // A leader cannot tell whether it is wrong itself or a follower is: that there is a difference is what it knows.
      expect(await cluster.client().client.maintenance.alarms()).toHaveLength(1);
    });
  });

  test("is named by the majority after a compaction, be it the leader", async () => {
    const cluster = await clusterWith({ compactHashCheckMs: minuteMs }, 3);
    await cluster.run(async () => {
      const { client } = cluster.client();
      const { leader } = await someHistory(cluster);
      const memberId = await corrupt(cluster, leader);
      await client.compact((await client.put("d", "value")).revision);
      await cluster.sleep(2 * minuteMs);
      expect(await client.maintenance.alarms()).toEqual([{ memberId, type: "CORRUPT" }]);
    });
  });

  test("does not start beside the others", async () => {
    const cluster = await clusterWith({ initialCorruptCheck: true }, 4);
    await cluster.run(async () => {
      const { follower } = await someHistory(cluster);
      await corrupt(cluster, follower);
      await cluster.stop(follower);
      await expect(cluster.restart(follower)).rejects.toMatchObject({ code: "CORRUPT" });
    });
  });
});

test("members that are sound are left alone, through crashes, compactions and changes of the leader", async () => {
  const settings = { corruptCheckMs: minuteMs, compactHashCheckMs: minuteMs, initialCorruptCheck: true };
  const cluster = await clusterWith(settings, 5);
  await cluster.run(async () => {
    const { client } = cluster.client();
    for (let round = 0; round < 6; round++) {
      for (let at = 0; at < 20; at++) await client.put(`key${at % 7}`, `${round}/${at}`);
      await client.compact((await client.put("last", `${round}`)).revision - 3);
      const leader = await cluster.waitForLeader();
      cluster.crash(leader);
      await cluster.sleep(minuteMs);
      await cluster.restart(leader);
    }
    await cluster.sleep(2 * minuteMs);
    expect(await client.maintenance.alarms()).toEqual([]);
  });
  expect(cluster.failures).toEqual([]);
});
