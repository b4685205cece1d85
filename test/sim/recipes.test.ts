/** @module Recipes on virtual time, exactly as they run in production: what they promise when members and clients fail. */
import { createElection } from "@conclave/election";
import { createLock } from "@conclave/lock";
import { createRegistry } from "@conclave/registry";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

async function clusterOfThree(seed: number): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ seed });
  await cluster.run(() => cluster.start());
  return cluster;
}

describe("recipes in a simulated cluster", () => {
  test("a lock outlives its leader, and falls to the next one when its holder's machine stands still", async () => {
    const cluster = await clusterOfThree(1);
    await cluster.run(async () => {
      const [first, second] = [cluster.client(), cluster.client()];
      const held = await createLock(first.client, "lock", { ttlSec: 6 }).acquire();
      cluster.crash(await cluster.waitForLeader());
      await cluster.waitForLeader();
      await cluster.sleep(10_000);
      expect(held.held).toBe(true);

      cluster.pause(first.name);
      const next = await createLock(second.client, "lock", { ttlSec: 6 }).acquire();
      expect(held.held).toBe(false);
      expect(next.held).toBe(true);
      expect(next.fence).toBeGreaterThan(held.fence);
      cluster.resume(first.name);
      await cluster.sleep(1_000);
      expect(held.held).toBe(false);
      await next.release();
    });
  });

  test("tryAcquire() of a client that is cut off, whenever that is, never says that somebody has a free lock", async () => {
    const cluster = await clusterOfThree(4);
    await cluster.run(async () => {
      const { client, name } = cluster.client({ timeoutMs: 1_000 });
      const outcomes: string[] = [];
      for (let afterMs = 0; afterMs < 30; afterMs++) {
        const trying = createLock(client, `lock-${afterMs}`)
          .tryAcquire()
          .then(
            (held) => (held === undefined ? "taken" : "held"),
            ({ code }) => code,
          );
        await cluster.sleep(afterMs);
        cluster.isolate(name);
        outcomes.push(await trying);
        cluster.heal();
        await cluster.sleep(2_000);
      }
      expect(outcomes).toContain("OUTCOME_UNKNOWN");
      expect(outcomes).toContain("TIMEOUT");
      expect(outcomes).not.toContain("taken");
    });
  });

  test("an election has one leader at a time, through a partition of its leader from the cluster", async () => {
    const cluster = await clusterOfThree(2);
    await cluster.run(async () => {
      const leading = new Set<string>();
      const rivals: string[] = [];
      let terms = 0;
      const campaign = async (name: string, client: ReturnType<SimulatedCluster["client"]>) => {
        const election = createElection(client.client, "election", { ttlSec: 4 });
        await election.lead(
          async ({ signal }) => {
            rivals.push(...leading);
            leading.add(name);
            terms++;
            await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
            leading.delete(name);
          },
          { value: name },
        );
      };
      const clients = new Map(["a", "b"].map((name) => [name, cluster.client()]));
      for (const [name, client] of clients) campaign(name, client).catch(() => {});
      await cluster.sleep(2_000);
      const [leader] = leading;
      expect(leader).toBeDefined();
      cluster.isolate(clients.get(leader as string)?.name as string);
      await cluster.sleep(20_000);
      cluster.heal();
      await cluster.sleep(5_000);
      expect(rivals).toEqual([]);
      expect(terms).toBeGreaterThan(1);
      expect(leading.size).toBe(1);
    });
  });

  test("a registered instance leaves the set when its machine loses its power, and not when the leader does", async () => {
    const cluster = await clusterOfThree(3);
    await cluster.run(async () => {
      const [provider, consumer] = [cluster.client(), cluster.client()];
      await createRegistry(provider.client, { ttlSec: 5 }).register({
        service: "orders",
        id: "one",
        addresses: { http: "http://10.0.0.7:8080" },
      });
      const orders = await createRegistry(consumer.client).discover("orders");
      expect(orders.instances().map(({ id }) => id)).toEqual(["one"]);
      cluster.crash(await cluster.waitForLeader());
      await cluster.sleep(15_000);
      expect(orders.instances().map(({ id }) => id)).toEqual(["one"]);
      provider.time.kill();
      await cluster.sleep(15_000);
      // It was the last one of its service: it is held for a while, as the store may have lost sight of all.
      expect(orders.held.map(({ id }) => id)).toEqual(["one"]);
      await cluster.sleep(60_000);
      expect(orders.instances()).toEqual([]);
    });
  });
});
