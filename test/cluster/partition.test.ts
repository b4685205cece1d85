import { op } from "@conclave/client";
import { createLock } from "@conclave/lock";
import { type ClusterMember, type ClusterProcesses, startCluster } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { clientOf, eventually, followersOf, hashesOf, program } from "./subject.ts";

interface Scene {
  readonly leader: ClusterMember;
  readonly first: ClusterMember;
  readonly second: ClusterMember;
}

describe("clients see one history", () => {
  let cluster: ClusterProcesses;
  beforeAll(async () => {
    cluster = await startCluster({ ...program, network: "relay" });
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  /** Does something to the cluster's network under load; whatever it is, clients must not be able to tell. */
  async function underLoad(harm: (scene: Scene, workload: KvWorkload) => Promise<void>): Promise<void> {
    const leader = await cluster.waitForLeader({ among: cluster.members });
    const [first, second] = followersOf(cluster, leader);
    await using workload = new KvWorkload({ endpoints: cluster.endpoints, name: `run-${++runs}` });
    try {
      await workload.serves();
      await harm({ leader, first, second }, workload);
    } finally {
      await cluster.heal();
    }
    await cluster.waitForLeader({ among: cluster.members });
    await workload.serves();
    expect(await workload.verify()).toBeGreaterThan(50);
    const hashes = await hashesOf(cluster.members);
    expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
  }
  let runs = 0;

  test("though the leader is cut off, and back", () =>
    underLoad(async ({ leader }, workload) => {
      await cluster.isolate(leader);
      const next = await cluster.waitForLeader({ not: leader });
      await workload.serves();
      await cluster.heal();
      workload.nextRound();
      await cluster.isolate(next);
      await cluster.waitForLeader({ not: next });
      await workload.serves();
    }));

  test("though a follower is cut off: no election, and none when it is back", () =>
    underLoad(async ({ leader, first }, workload) => {
      const { raftTerm } = await leader.status();
      await cluster.isolate(first);
      await workload.serves();
      await expect(cluster.waitForLeader({ among: [first], timeoutMs: 3_000 })).rejects.toThrow("No leader");
      await cluster.heal();
      await cluster.waitForLeader({ among: cluster.members });
      expect((await leader.status()).raftTerm).toBe(raftTerm);
    }));

  test("though the leader is heard by nobody and hears everybody", () =>
    underLoad(async ({ leader, first, second }, workload) => {
      await cluster.oneWay(leader, first);
      await cluster.oneWay(leader, second);
      await cluster.waitForLeader({ not: leader });
      await workload.serves();
    }));

  test("though the leader hears nobody and is heard by everybody", () =>
    underLoad(async ({ leader, first, second }, workload) => {
      await cluster.oneWay(first, leader);
      await cluster.oneWay(second, leader);
      // It hears no quorum any more and steps down, or everybody would wait for it for ever.
      await cluster.waitForLeader({ not: leader });
      await workload.serves();
    }));

  test("though two members do not hear each other", () =>
    underLoad(async ({ leader, first, second }, workload) => {
      await cluster.partition([leader], [first]);
      await workload.serves();
      await cluster.heal();
      workload.nextRound();
      await cluster.partition([first], [second]);
      await workload.serves();
    }));
});

test("a leader that is cut off answers no linearizable read, and its lock's holder writes no more", async () => {
  await using cluster = await startCluster({ ...program, network: "relay" });
  const leader = await cluster.waitForLeader({ among: cluster.members });
  await using inside = clientOf(leader);
  await using outside = clientOf(...followersOf(cluster, leader));
  await using held = await createLock(inside, "lock", { ttlSec: 3 }).acquire();
  await held.txn([op.put("written", "first")]);
  await cluster.isolate(leader);
  const stale = inside.getString("written", { timeoutMs: 20_000 });
  stale.catch(() => {});
  await cluster.waitForLeader({ not: leader });
  await using next = await createLock(outside, "lock", { ttlSec: 3 }).acquire({ waitMs: 20_000 });
  expect(next.fence).toBeGreaterThan(held.fence);
  await next.txn([op.put("written", "second")]);
  // What the first holder asked before is answered by now, or will be by a member that knows of the second.
  const told = await Promise.race([stale.catch(() => "nothing"), Promise.resolve("nothing yet")]);
  expect(told).toMatch(/first|nothing/);
  await expect(inside.getString("written", { timeoutMs: 2_000 })).rejects.toThrow();
  expect(held.held).toBe(false);
  await cluster.heal();
  await cluster.waitForLeader({ among: cluster.members });
  await expect(held.txn([op.put("written", "first again")])).rejects.toThrow();
  expect(await eventually(() => inside.getString("written"))).toBe("second");
});
