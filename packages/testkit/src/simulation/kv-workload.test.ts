import { HistoryRecorder, type KvAnswer, type KvOperation } from "@conclave/checkers";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.ts";
import { KvWorkload } from "./kv-workload.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

describe("KvWorkload", () => {
  it("writes and reads in the end although every member that its clients know was removed", async () => {
    const cluster = new SimulatedCluster({ seed: 1, members: 1 });
    const recorder = new HistoryRecorder<KvOperation, KvAnswer>(cluster.time);
    const workload = new KvWorkload({ cluster, random: seededRandom(1), recorder });
    await cluster.run(async () => {
      await cluster.start();
      for (const _ of [2, 3]) await cluster.promote(await cluster.addMember());
      await cluster.removeMember("m1");
      await cluster.waitForLeader();
      expect(await workload.writeOnce()).toBeGreaterThan(1);
      await workload.readAll();
    });
    // One write, and one read of every key.
    expect(workload.answered).toBe(1 + 4);
  });
});
