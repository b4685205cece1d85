/** @module Queues, counters, barriers and groups on virtual time, while members crash and answers are lost. */
import { isConclaveError } from "@conclave/client";
import { createBarrier, createCounter, createDoubleBarrier, createMembership, createQueue } from "@conclave/recipes";
import { SimulatedCluster, seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const seeds = Array.from({ length: 5 }, (_, at) => at + 1);

/** Whether a failed call may have been carried out. */
function isUnknown(error: unknown): boolean {
  if (!isConclaveError(error)) throw error;
  return error.code === "OUTCOME_UNKNOWN";
}

/** Crashes the leader, or cuts clients off, a few times. */
async function meddle(cluster: SimulatedCluster, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (let round = 0; round < 3; round++) {
    await cluster.sleep(random.fraction() * 1_500);
    const leader = await cluster.waitForLeader();
    cluster.crash(leader);
    await cluster.sleep(random.fraction() * 1_500);
    await cluster.restart(leader);
  }
}

describe("recipes in a cluster whose leaders crash", () => {
  test.each(seeds)("seed %i: a counter counts each addition once", async (seed) => {
    const cluster = new SimulatedCluster({ seed, link: { breaking: 0.02 } });
    await cluster.run(async () => {
      await cluster.start();
      let [added, unknown] = [0, 0];
      const adding = Array.from({ length: 3 }, async () => {
        const { client, time } = cluster.client();
        const counter = createCounter(client, "counter");
        for (let at = 0; at < 12; at++) {
          await counter.add(1, { timeoutMs: 4_000 }).then(
            () => added++,
            (error) => isUnknown(error) && unknown++,
          );
          await time.sleep(100);
        }
      });
      await meddle(cluster, seed);
      await Promise.all(adding);
      const value = await createCounter(cluster.client().client, "counter").get();
      expect(value).toBeGreaterThanOrEqual(added);
      expect(value).toBeLessThanOrEqual(added + unknown);
      expect(added).toBeGreaterThan(20);
    });
  });

  test.each(seeds)(
    "seed %i: a queue gives each item out once, and loses none but with an unknown outcome",
    async (seed) => {
      const cluster = new SimulatedCluster({ seed, link: { breaking: 0.02 } });
      await cluster.run(async () => {
        await cluster.start();
        const producer = cluster.client().client;
        const taken: number[] = [];
        let unknown = 0;
        const done = new AbortController();
        const taking = Array.from({ length: 2 }, async () => {
          const queue = createQueue<number>(cluster.client().client, "queue");
          while (!done.signal.aborted)
            await queue.dequeue({ signal: done.signal }).then(
              (item) => void taken.push(item),
              (error) => isUnknown(error) && unknown++,
            );
        });
        const meddling = meddle(cluster, seed);
        const put: number[] = [];
        for (let item = 0; item < 20; item++) {
          await createQueue<number>(producer, "queue")
            .enqueue(item)
            .then(
              () => put.push(item),
              (error: unknown) => isUnknown(error),
            );
          await cluster.sleep(150);
        }
        await meddling;
        await cluster.sleep(15_000);
        done.abort();
        await Promise.all(taking);
        expect(new Set(taken).size).toBe(taken.length);
        expect(put.filter((item) => !taken.includes(item)).length).toBeLessThanOrEqual(unknown);
        expect(await createQueue(producer, "queue").size()).toBe(0);
      });
    },
  );

  test("a dead holder's barrier opens, a dead participant keeps nobody inside, a dead member leaves", async () => {
    const cluster = new SimulatedCluster({ seed: 3 });
    await cluster.run(async () => {
      await cluster.start();
      const [doomed, one, two] = [cluster.client(), cluster.client(), cluster.client()];
      await createBarrier(doomed.client, "barrier", { ttlSec: 3 }).hold();
      const entering = [doomed, one].map(({ client }) =>
        createDoubleBarrier(client, "double", { count: 2, ttlSec: 3 }).enter(),
      );
      const [, inside] = await Promise.all(entering);
      await createMembership<string>(doomed.client, "group", { ttlSec: 3 }).join("doomed", "");
      const group = createMembership<string>(two.client, "group");
      const changes = group.watch();
      expect((await changes.next()).value?.members.size).toBe(1);
      cluster.isolate(doomed.name);
      cluster.crash(await cluster.waitForLeader());
      await createBarrier(two.client, "barrier").wait();
      await inside?.leave();
      expect((await changes.next()).value).toMatchObject({ left: [{ id: "doomed" }], joined: [], updated: [] });
      await changes.return();
    });
  });
});
