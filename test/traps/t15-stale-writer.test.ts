/** @module T15: a holder stands still, somebody else gets the lock and writes, and then the first one goes on. */
import { op } from "@conclave/client";
import { createFenceGate, createLock } from "@conclave/lock";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { acquireNaively } from "./naive/queue-lock.ts";

const ttlSec = 3;

describe("T15: the write of a former holder after a pause", () => {
  test("is refused, where a look at the lock before it would have let it pass", async () => {
    const cluster = new SimulatedCluster({ seed: 15, members: 1 });
    await cluster.run(async () => {
      await cluster.start();
      const [first, second] = [cluster.client(), cluster.client()];
      const stale = await createLock(first.client, "ours", { ttlSec }).acquire();
      const naiveStale = await acquireNaively(first.client, "naive", { ttlSec });
      cluster.pause(first.name);
      const current = await createLock(second.client, "ours", { ttlSec }).acquire();
      const naiveCurrent = await acquireNaively(second.client, "naive", { ttlSec });
      expect(current.fence).toBeGreaterThan(stale.fence);
      await current.txn([op.put("ours/written", "by the holder")]);
      await naiveCurrent.write("naive/written", "by the holder");

      cluster.resume(first.name);
      const writes = [
        stale.txn([op.put("ours/written", "by a former holder")]),
        naiveStale.write("naive/written", "by a former holder"),
      ];
      const [ours, naive] = await Promise.allSettled(writes);
      expect(ours).toMatchObject({ status: "rejected", reason: { code: "OWNERSHIP_LOST" } });
      expect(naive).toMatchObject({ status: "fulfilled" });
      expect(await second.client.getString("ours/written")).toBe("by the holder");
      expect(await second.client.getString("naive/written")).toBe("by a former holder");
    });
  });

  test("is refused elsewhere too, by whoever has seen the next holder's fence", async () => {
    const cluster = new SimulatedCluster({ seed: 16, members: 1 });
    await cluster.run(async () => {
      await cluster.start();
      const [first, second] = [cluster.client(), cluster.client()];
      const gate = createFenceGate("report");
      const stale = await createLock(first.client, "report", { ttlSec }).acquire();
      gate.admit(stale);
      cluster.pause(first.name);
      gate.admit(await createLock(second.client, "report", { ttlSec }).acquire());
      expect(() => gate.admit(stale)).toThrow(expect.objectContaining({ code: "OWNERSHIP_LOST" }));
    });
  });
});
