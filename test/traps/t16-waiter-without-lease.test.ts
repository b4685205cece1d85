/** @module T16: a waiter's own lease runs out while it waits, and then the one before it leaves. */
import { isConclaveError } from "@conclave/client";
import { createLock } from "@conclave/lock";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { acquireNaively } from "./naive/queue-lock.ts";

const ttlSec = 3;

/** Lets a waiter stand still until its lease is gone, and wakes it when another one has got the lock. */
async function wakeWaiter(acquire: (cluster: SimulatedCluster, waiter: number) => Promise<unknown>): Promise<string> {
  const cluster = new SimulatedCluster({ seed: 16, members: 1 });
  return await cluster.run(async () => {
    await cluster.start();
    const [first, waiter, third] = [cluster.client(), cluster.client(), cluster.client()];
    const held = await createLock(first.client, "lock", { ttlSec }).acquire();
    const waiting = acquire(cluster, 1).then(
      () => "holds it too",
      (error: unknown) => (isConclaveError(error) ? error.code : "other"),
    );
    const lock = createLock(third.client, "lock", { ttlSec });
    while ((await lock.inspect()).waiters.length < 1);
    cluster.pause(waiter.name);
    while ((await lock.inspect()).waiters.length > 0);
    const acquired = lock.acquire();
    while ((await lock.inspect()).waiters.length < 1);
    await held.release();
    const current = await acquired;
    cluster.resume(waiter.name);
    const outcome = await waiting;
    expect(current.held).toBe(true);
    return outcome;
  });
}

describe("T16: a waiter whose lease is gone", () => {
  test("does not hold the lock when the one before it leaves", async () => {
    const waiterOf = (cluster: SimulatedCluster) => [...cluster.clients.values()][1]?.client as never;
    const ours = await wakeWaiter((cluster) => createLock(waiterOf(cluster), "lock", { ttlSec }).acquire());
    expect(["SESSION_LOST", "OWNERSHIP_LOST"]).toContain(ours);
    const naive = await wakeWaiter((cluster) => acquireNaively(waiterOf(cluster), "lock", { ttlSec }));
    expect(naive).toBe("holds it too");
  });

  test("stands in nobody's way, and one that waits behind a dying one gets the lock", async () => {
    const cluster = new SimulatedCluster({ seed: 17, members: 1 });
    await cluster.run(async () => {
      await cluster.start();
      const [holder, dying, waiter] = [cluster.client(), cluster.client(), cluster.client()];
      const held = await createLock(holder.client, "lock", { ttlSec }).acquire();
      void createLock(dying.client, "lock", { ttlSec }).acquire();
      const lock = createLock(waiter.client, "lock", { ttlSec });
      while ((await lock.inspect()).waiters.length < 1);
      const waiting = lock.acquire();
      while ((await lock.inspect()).waiters.length < 2);
      dying.time.kill();
      await held.release();
      const startMs = cluster.time.monotonicMs();
      expect((await waiting).held).toBe(true);
      expect(cluster.time.monotonicMs() - startMs).toBeLessThan(ttlSec * 1_000 + 2_000);
    });
  });
});
