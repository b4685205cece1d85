/** @module Topics and consumer groups on virtual time: what they promise when members, clients and networks fail. */
import { type Client, isConclaveError, prefix } from "@conclave/client";
import { createTopic, type Delivery, type GroupMember, inspectTopic, subscribeTopics } from "@conclave/pubsub";
import { SimulatedCluster, seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const seeds = 100;
/** Most seeds run on one member, which costs a third. */
const clusterEvery = 4;

/** Publishes until it is known to be done: the id makes that safe. */
async function publishSurely(client: Client, topic: string, message: number): Promise<void> {
  for (;;) {
    try {
      await createTopic<number>(client, topic).publish(message, { id: `m${message}`, timeoutMs: 5_000 });
      return;
    } catch (error) {
      if (!isConclaveError(error)) throw error;
    }
  }
}

async function collectInto(messages: AsyncIterable<Delivery<number>>, taken: string[]): Promise<void> {
  for await (const { topic, message } of messages) taken.push(`${topic} ${message}`);
}

describe("subscribers in a simulated cluster", () => {
  test("miss nothing and get nothing twice through an outage of 30 s, a restart and a compaction they do not see", async () => {
    const cluster = new SimulatedCluster({ seed: 7 });
    await cluster.run(async () => {
      await cluster.start();
      const publisher = cluster.client().client;
      const readers = Array.from({ length: 4 }, () => cluster.client());
      const [plain, pattern, durable, members] = readers.map(({ client }) => client) as [
        Client,
        Client,
        Client,
        Client,
      ];
      const taken = { plain: [] as string[], pattern: [] as string[], durable: [] as string[] };
      const worked = new Set<number>();
      const worker = await createTopic<number>(members, "orders.us").group("workers", { ttlSec: 5 }).join();
      void worker.process(({ message }) => void worked.add(message));
      void collectInto(createTopic<number>(plain, "orders.eu").subscribe({ from: "earliest" }), taken.plain);
      void collectInto(subscribeTopics<number>(pattern, "orders.*", { from: "earliest" }), taken.pattern);
      void (async () => {
        for await (const delivery of createTopic<number>(durable, "orders.eu").subscription("mailer").messages()) {
          taken.durable.push(`${delivery.topic} ${delivery.message}`);
          await delivery.ack().catch(() => {});
        }
      })();
      const publish = async (first: number, last: number) => {
        for (let message = first; message <= last; message++) {
          await publishSurely(publisher, "orders.eu", message);
          await publishSurely(publisher, "orders.us", message);
        }
      };
      await publish(1, 20);
      await cluster.sleep(1_000);
      const trimmed = createTopic<number>(publisher, "orders.eu");

      for (const { name } of readers) cluster.isolate(name);
      await publish(21, 25);
      for (const name of cluster.machines.keys()) cluster.crash(name);
      await cluster.sleep(30_000);
      await Promise.all([...cluster.machines.keys()].map((name) => cluster.restart(name)));
      await cluster.waitForLeader();
      await publish(26, 40);
      // What retention deletes before it is read is not told, and nothing else is missing.
      await trimmed.trim({ keep: 18 });
      const { revision } = await publisher.range("x", { countOnly: true });
      await publisher.compact(revision);
      cluster.heal();
      await publish(41, 45);
      await cluster.sleep(30_000);

      const all = Array.from({ length: 45 }, (_, at) => at + 1);
      const kept = all.filter((message) => message <= 20 || message > 22);
      expect(taken.plain).toEqual(kept.map((message) => `orders.eu ${message}`));
      expect(taken.durable).toEqual(taken.plain);
      expect(taken.pattern.filter((line) => line.startsWith("orders.eu"))).toEqual(taken.plain);
      expect(taken.pattern.filter((line) => line.startsWith("orders.us"))).toEqual(
        all.map((message) => `orders.us ${message}`),
      );
      expect([...worked].sort((one, other) => one - other)).toEqual(all);
      expect((await inspectTopic(publisher, "orders.us")).groups).toMatchObject([
        { behind: 0, pending: 0, members: 1 },
      ]);
    });
  });
});

/** Counts how often each message left the hands of the group, as the store tells it. */
async function settlements(client: Client, counts: Map<string, number>): Promise<void> {
  const pending = "topics/jobs/groups/workers/pending/";
  for await (const { events } of client.watch(prefix(pending), { from: 1, only: "delete" }))
    for (const { kv } of events) counts.set(kv.keyString, (counts.get(kv.keyString) ?? 0) + 1);
}

describe("a consumer group in a simulated cluster", () => {
  const ttlSec = 3;
  const visibilityMs = 4_000;
  const messages = 10;

  async function work(member: GroupMember<number>, processed: Set<number>, thinkMs: () => Promise<void>) {
    for await (const delivery of member.messages()) {
      processed.add(delivery.message);
      await thinkMs();
      // What cannot be acknowledged comes again, here or elsewhere.
      await delivery.ack({ timeoutMs: 3_000 }).catch(() => {});
    }
  }

  async function runSeed(seed: number): Promise<void> {
    const cluster = new SimulatedCluster({ seed, members: seed % clusterEvery === 0 ? 3 : 1 });
    const random = seededRandom(seed);
    const processed = new Set<number>();
    const settled = new Map<string, number>();
    await cluster.run(async () => {
      await cluster.start();
      const observer = cluster.client().client;
      void settlements(observer, settled);
      const workers = Array.from({ length: 3 }, () => cluster.client());
      for (const { client, time } of workers) {
        const group = createTopic<number>(client, "jobs").group("workers", { ttlSec, visibilityMs, maxInFlight: 2 });
        void work(await group.join({ timeoutMs: 30_000 }), processed, () => time.sleep(random.fraction() * 1_500));
      }
      const publishing = (async () => {
        for (let message = 0; message < messages; message++) {
          await publishSurely(observer, "jobs", message);
          await cluster.sleep(random.fraction() * 400);
        }
      })();
      await cluster.sleep(random.fraction() * 3_000);
      const [first, second] = workers;
      first?.time.kill();
      // What it had sent was sent; what it waits for does not come.
      cluster.isolate(first?.name ?? "");
      if (random.below(2) === 0) {
        const victim = await cluster.waitForLeader();
        cluster.crash(victim);
        await cluster.sleep(random.fraction() * 2_000);
        await cluster.restart(victim);
      } else {
        cluster.pause(second?.name ?? "");
        await cluster.sleep(random.fraction() * 2 * ttlSec * 1_000);
        cluster.resume(second?.name ?? "");
      }
      await publishing;
      // The dead member's lease runs out, a claim whose owner was paused has its time, and elections take theirs.
      const limitMs = ttlSec * 1_000 + 2 * visibilityMs + messages * 1_500 + 10_000;
      const endMs = cluster.time.monotonicMs() + limitMs;
      const isOver = async () => {
        const [state] = (await inspectTopic(observer, "jobs")).groups;
        return state?.behind === 0 && state.pending === 0;
      };
      while (!(await isOver())) {
        if (cluster.time.monotonicMs() > endMs) throw new Error(`seed ${seed}: messages are stuck after ${limitMs} ms`);
        await cluster.sleep(500);
      }
      await cluster.sleep(500);
      expect(processed.size, `seed ${seed}`).toBe(messages);
      expect(settled.size, `seed ${seed}`).toBe(messages);
      expect(
        [...settled.values()].every((count) => count === 1),
        `seed ${seed}`,
      ).toBe(true);
    });
  }

  test(`processes every message, and acknowledges it once, through the death of members, in ${seeds} seeds`, {
    timeout: 400_000,
  }, async () => {
    for (let seed = 1; seed <= seeds; seed++) await runSeed(seed);
  });
});
