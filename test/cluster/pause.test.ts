import { setTimeout as sleep } from "node:timers/promises";
import { op } from "@conclave/client";
import { createLock } from "@conclave/lock";
import { type ClusterMember, type ClusterProcesses, startCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { clientOf, electionTimeoutMs, eventually, followersOf, program } from "./subject.ts";

/** The term that all members are in. */
async function termOf(cluster: ClusterProcesses): Promise<number> {
  const leader = await cluster.waitForLeader({ among: cluster.members });
  return (await leader.status()).raftTerm;
}

async function stopFor(ms: number, members: readonly ClusterMember[]): Promise<void> {
  for (const member of members) member.pause();
  await sleep(ms);
  for (const member of members) member.resume();
}

describe("a leader that is stopped past the election timeout", () => {
  test("answers no read that was waiting with what it knew before", async () => {
    await using cluster = await startCluster(program);
    for (let round = 0; round < 2; round++) {
      const leader = await cluster.waitForLeader({ among: cluster.members });
      await using inside = clientOf(leader);
      await using outside = clientOf(...followersOf(cluster, leader));
      await inside.put("key", `before ${round}`);
      leader.pause();
      // They reach its socket before it is woken, and it answers them when it is.
      const early = Array.from({ length: 20 }, () => inside.getString("key").catch(() => "refused"));
      await cluster.waitForLeader({ not: leader });
      await outside.put("key", `after ${round}`);
      const late = Array.from({ length: 20 }, () => inside.getString("key").catch(() => "refused"));
      leader.resume();
      // A read that was asked before the write may tell either; one that was asked after it must tell of it.
      for (const told of await Promise.all(early))
        expect([`before ${round}`, `after ${round}`, "refused"]).toContain(told);
      for (const told of await Promise.all(late)) expect([`after ${round}`, "refused"]).toContain(told);
    }
  });

  test("is no trouble to clients", async () => {
    await using cluster = await startCluster(program);
    await using workload = new KvWorkload({ endpoints: cluster.endpoints });
    for (let round = 0; round < 2; round++) {
      await workload.serves();
      workload.nextRound();
      const leader = await cluster.waitForLeader({ among: cluster.members });
      leader.pause();
      await cluster.waitForLeader({ not: leader });
      await workload.serves();
      leader.resume();
    }
    expect(await workload.verify()).toBeGreaterThan(50);
  });

  test("lets the holder of a lock that has run out write no more", async () => {
    await using cluster = await startCluster(program);
    const leader = await cluster.waitForLeader({ among: cluster.members });
    await using inside = clientOf(leader);
    await using outside = clientOf(...followersOf(cluster, leader));
    await using held = await createLock(inside, "lock", { ttlSec: 3 }).acquire();
    leader.pause();
    const write = held.txn([op.put("written", "first")], { timeoutMs: 8_000 }).then(
      () => "written",
      () => "refused",
    );
    await cluster.waitForLeader({ not: leader });
    await using next = await createLock(outside, "lock", { ttlSec: 3 }).acquire({ waitMs: 20_000 });
    leader.resume();
    await next.txn([op.put("written", "second")]);
    expect(await write).toBe("refused");
    expect(await eventually(() => inside.getString("written"))).toBe("second");
  });
});

describe("a process that is stopped", () => {
  test("as a follower for up to 3 s, or as the leader for half an election timeout, starts no election", async () => {
    await using cluster = await startCluster(program);
    const term = await termOf(cluster);
    const leader = await cluster.waitForLeader();
    const [follower] = followersOf(cluster, leader);
    for (const ms of [500, 1_500, 3_000]) {
      await stopFor(ms, [follower]);
      await sleep(electionTimeoutMs);
      expect(await termOf(cluster), `after ${ms} ms`).toBe(term);
    }
    await stopFor(electionTimeoutMs / 2, [leader]);
    await sleep(2 * electionTimeoutMs);
    expect(await termOf(cluster), "after the leader was stopped").toBe(term);
  });

  test("with all others for 3 s ends no lease that was renewed meanwhile", async () => {
    await using cluster = await startCluster(program);
    const leader = await cluster.waitForLeader({ among: cluster.members });
    await using client = clientOf(leader);
    const { id } = await client.lease.grant({ ttlSec: 2 });
    await client.put("leased", "", { lease: id });
    for (const member of cluster.members) member.pause();
    const renewed = Array.from({ length: 6 }, async (_, at) => {
      await sleep(at * 500);
      return await client.lease.keepAliveOnce(id, { timeoutMs: 10_000 });
    });
    await sleep(3_000);
    for (const member of cluster.members) member.resume();
    expect((await Promise.all(renewed)).map(({ ttlSec }) => ttlSec)).toEqual(renewed.map(() => 2));
    expect(await client.getString("leased")).toBe("");
  });
});
