/** @module Configurations on virtual time: outages, compactions, and what ends with nobody alive. */
import { createConfig, createLayeredConfig, type LiveConfig, liveConfigs } from "@conclave/config";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { z } from "zod";

const schema = z.object({ limit: z.number().int().min(1) });
type Limits = z.infer<typeof schema>;

async function clusterOfThree(seed: number): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster({ seed });
  await cluster.run(() => cluster.start());
  return cluster;
}

function recordChanges(live: LiveConfig<Limits>): [number | undefined, number][] {
  const changes: [number | undefined, number][] = [];
  live.on("change", ({ value, previous }) => void changes.push([previous?.value.limit, value.limit]));
  return changes;
}

describe("a configuration in a simulated cluster", () => {
  test("keeps its value through an outage of 30 s with a compaction, and then sees what changed, once", async () => {
    const cluster = await clusterOfThree(11);
    await cluster.run(async () => {
      const [operator, instance] = [cluster.client(), cluster.client()];
      const config = createConfig(operator.client, "config/limits", { schema });
      await config.publish({ limit: 1 });
      const live = await createConfig(instance.client, "config/limits", { schema }).live();
      const changes = recordChanges(live);

      cluster.isolate(instance.name);
      for (const limit of [2, 3, 4]) await config.publish({ limit });
      await operator.client.compact((await config.get())?.revision ?? 0);
      for (let waitedSec = 0; waitedSec < 30; waitedSec++) {
        expect(live.current?.value.limit).toBe(1);
        await cluster.sleep(1_000);
      }
      expect(changes).toEqual([]);
      cluster.heal();
      await cluster.sleep(60_000);
      expect(changes).toEqual([[1, 4]]);
      expect(live.status).toBe("following");
      expect((await config.history()).map(({ value }) => value.limit)).toEqual([4, 3, 2, 1]);
    });
  });

  test("of a prefix keeps its values through an outage with a compaction, and tells the difference as one change", async () => {
    const cluster = await clusterOfThree(16);
    await cluster.run(async () => {
      const [operator, instance] = [cluster.client(), cluster.client()];
      const under = (name: string) => createConfig(operator.client, `config/service/${name}`, { schema });
      for (const name of ["a", "b"]) await under(name).publish({ limit: 1 });
      await using configs = await liveConfigs(instance.client, "config/service/", { schema });
      const told: string[][] = [];
      configs.on("change", (changes) => {
        told.push(changes.map(({ key, current }) => `${key.at(-1)} ${current?.value.limit ?? "gone"}`).sort());
      });
      const limits = () => [...configs.current].map(([key, { value }]) => `${key.at(-1)} ${value.limit}`).sort();

      cluster.isolate(instance.name);
      await under("a").publish({ limit: 2 });
      await under("a").publish({ limit: 3 });
      await under("c").publish({ limit: 4 });
      const { revision } = await operator.client.delete("config/service/b");
      await operator.client.compact(revision);
      for (const name of cluster.machines.keys()) cluster.crash(name);
      await cluster.sleep(30_000);
      expect(limits()).toEqual(["a 1", "b 1"]);
      await Promise.all([...cluster.machines.keys()].map((name) => cluster.restart(name)));
      cluster.heal();
      await cluster.sleep(60_000);
      expect(limits()).toEqual(["a 3", "c 4"]);
      expect(told).toEqual([["a 3", "b gone", "c 4"]]);
    });
  });

  test("keeps its value while the whole cluster is down, and goes on when it is back", async () => {
    const cluster = await clusterOfThree(12);
    await cluster.run(async () => {
      const { client } = cluster.client();
      const config = createConfig(client, "config/limits", { schema });
      await config.publish({ limit: 1 });
      const live = await config.live({ instance: { id: "one" }, acknowledge: { ttlSec: 5 } });
      const changes = recordChanges(live);
      await cluster.sleep(2_000);
      expect(await config.running()).toMatchObject([{ instance: "one" }]);
      for (const name of cluster.machines.keys()) cluster.crash(name);
      await cluster.sleep(30_000);
      expect([live.current?.value.limit, live.status]).toEqual([1, "interrupted"]);
      await Promise.all([...cluster.machines.keys()].map((name) => cluster.restart(name)));
      await cluster.waitForLeader();
      await cluster.sleep(30_000);
      const { revision } = await config.publish({ limit: 2 });
      await cluster.sleep(1_000);
      expect(changes).toEqual([[1, 2]]);
      expect(await config.running()).toMatchObject([{ instance: "one", revision }]);
    });
  });

  test("ends a gray release on time with the cluster away, and in the store with nobody alive", async () => {
    const cluster = await clusterOfThree(13);
    await cluster.run(async () => {
      const [operator, chosen, observer] = [cluster.client(), cluster.client(), cluster.client()];
      const config = createConfig(operator.client, "config/limits", { schema });
      await config.publish({ limit: 1 });
      const live = await createConfig(chosen.client, "config/limits", { schema }).live({ instance: { id: "one" } });
      const changes = recordChanges(live);
      await config.gray.start({ limit: 2 }, { durationMs: 20_000 });
      await cluster.sleep(5_000);
      expect(live.current).toMatchObject({ value: { limit: 2 }, gray: true });
      operator.time.kill();
      cluster.isolate(chosen.name);
      await cluster.sleep(14_000);
      expect(live.current?.value.limit).toBe(2);
      await cluster.sleep(2_000);
      expect(live.current).toMatchObject({ value: { limit: 1 }, gray: false });
      expect(changes).toEqual([
        [1, 2],
        [2, 1],
      ]);
      await cluster.sleep(5_000);
      expect(await observer.client.get("config/limits!gray")).toBeUndefined();
    });
  });

  test("ends a gray release that was begun by who died within the call, wherever it was", async () => {
    for (let diesAfterMs = 0; diesAfterMs <= 40; diesAfterMs += 5) {
      const cluster = await clusterOfThree(17);
      await cluster.run(async () => {
        const [operator, chosen] = [cluster.client(), cluster.client()];
        const config = createConfig(chosen.client, "config/limits", { schema });
        await config.publish({ limit: 1 });
        await using live = await config.live({ instance: { id: "one" } });
        const begun = createConfig(operator.client, "config/limits", { schema });
        begun.gray.start({ limit: 2 }, { durationMs: 10_000 }).catch(() => {});
        await cluster.sleep(diesAfterMs);
        operator.time.kill();
        cluster.isolate(operator.name);
        await cluster.sleep(25_000);
        expect(live.current?.value.limit).toBe(1);
        expect(await config.gray.get()).toBeUndefined();
        expect(await chosen.client.lease.list()).toEqual([]);
        // Nothing of it is in the way of the next one.
        await config.gray.start({ limit: 3 }, { durationMs: 10_000 });
        await cluster.sleep(1_000);
        expect(live.current?.value.limit).toBe(3);
      });
    }
  });

  test("waits with a debounce until nothing more is published, but not for ever", async () => {
    const cluster = await clusterOfThree(14);
    await cluster.run(async () => {
      const { client } = cluster.client();
      const config = createConfig(client, "config/limits", { schema });
      await config.publish({ limit: 1 });
      const live = await config.live({ debounceMs: 1_000 });
      const changes = recordChanges(live);
      for (let limit = 2; limit <= 5; limit++) {
        await config.publish({ limit });
        await cluster.sleep(500);
      }
      expect(changes).toEqual([]);
      await cluster.sleep(1_000);
      expect(changes).toEqual([[1, 5]]);
      for (let limit = 6; limit <= 36; limit++) {
        await config.publish({ limit });
        await cluster.sleep(500);
      }
      // Ten times the debounce after the first of them, whatever follows.
      expect(changes.length).toBeGreaterThan(1);
    });
  });

  test("puts its layers together the same way whichever changes, and keeps what was good from a bad one", async () => {
    const cluster = await clusterOfThree(15);
    await cluster.run(async () => {
      const { client } = cluster.client();
      const layered = createLayeredConfig(client, "limits", {
        schema,
        defaults: { limit: 1 },
        service: "orders",
        instance: { id: "orders-1" },
      });
      const live = await layered.live();
      const changes = recordChanges(live);
      const publish = async (layer: "global" | "service" | "instance", value: { readonly limit?: number }) => {
        await layered.layer(layer).publish(value);
        await cluster.sleep(1_000);
      };
      await publish("instance", { limit: 4 });
      await publish("global", { limit: 2 });
      await publish("service", { limit: 3 });
      await publish("instance", {});
      await client.put(layered.layer("service").key, '{"limit":0}');
      await cluster.sleep(1_000);
      expect(live.rejected?.code).toBe("DATA_LOSS");
      await publish("service", {});
      expect(changes).toEqual([
        [1, 4],
        [4, 3],
        [3, 2],
      ]);
      expect(await layered.get()).toEqual(live.current);
    });
  });
});
