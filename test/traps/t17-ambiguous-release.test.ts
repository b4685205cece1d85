/** @module T17: a lock is released that is lost already, or whose release nobody confirms, or after the task has failed. */
import { createLock } from "@conclave/lock";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { runLocked, tryLock, unlock } from "./naive/key-lock.ts";

const ttlSec = 4;

async function clusterOfOne(): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ seed: 17, members: 1 });
  await cluster.run(() => cluster.start());
  return cluster;
}

describe("T17: a release", () => {
  test("after a loss takes nothing from the next holder", async () => {
    const cluster = await clusterOfOne();
    await cluster.run(async () => {
      const [first, second] = [cluster.client(), cluster.client()];
      const stale = await createLock(first.client, "ours", { ttlSec }).acquire();
      await tryLock(first.client, "naive", ttlSec);
      cluster.pause(first.name);
      const current = await createLock(second.client, "ours", { ttlSec }).acquire();
      while (!(await tryLock(second.client, "naive", 60)));
      cluster.resume(first.name);
      await Promise.all([stale.release(), unlock(first.client, "naive")]);
      expect((await createLock(second.client, "ours").inspect()).holder?.fence).toBe(current.fence);
      expect(await second.client.get("naive")).toBeUndefined();
    });
  });

  test("whose answers are lost is repeated until it is confirmed", async () => {
    const cluster = await clusterOfOne();
    await cluster.run(async () => {
      const [holder, other] = [cluster.client(), cluster.client()];
      const held = await createLock(holder.client, "ours", { ttlSec: 30 }).acquire();
      await tryLock(holder.client, "naive", 30);
      cluster.cut({ from: "m1", to: holder.name });
      const released = held.release();
      const naive = unlock(holder.client, "naive").then(
        () => "released",
        () => "who knows",
      );
      const next = await createLock(other.client, "ours").acquire({ waitMs: 10_000 });
      await cluster.sleep(5_000);
      cluster.heal();
      await released;
      expect(held.held).toBe(false);
      expect(next.held).toBe(true);
      expect(await naive).toBe("who knows");
    });
  });

  test("that cannot be done does not hide why the task failed, and ends with the lease", async () => {
    const cluster = await clusterOfOne();
    await cluster.run(async () => {
      const [holder, other] = [cluster.client(), cluster.client()];
      const fail = async () => {
        cluster.isolate(holder.name);
        throw new Error("the task failed");
      };
      const ours = createLock(holder.client, "ours", { ttlSec }).run(fail);
      await expect(ours).rejects.toThrow("the task failed");
      cluster.heal();
      await expect(runLocked(holder.client, "naive", fail)).rejects.toMatchObject({ name: "ConclaveError" });
      expect((await createLock(other.client, "ours").acquire({ waitMs: 10_000 })).held).toBe(true);
    });
  });

  test("that nobody confirms before the lease is over says why, and may be tried again", async () => {
    const cluster = await clusterOfOne();
    await cluster.run(async () => {
      const { client, name } = cluster.client();
      const held = await createLock(client, "ours", { ttlSec }).acquire();
      cluster.isolate(name);
      const startMs = cluster.time.monotonicMs();
      const error: unknown = await held.release().catch((cause: unknown) => cause);
      expect(cluster.time.monotonicMs() - startMs).toBeGreaterThan(ttlSec * 1_000 - 500);
      expect(error).toMatchObject({ name: "ConclaveError", maybeApplied: true, cause: expect.anything() });
      cluster.heal();
      await held.release();
    });
  });
});
