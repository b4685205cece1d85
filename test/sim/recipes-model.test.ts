/**
 * @module Queues by priority and by time, barriers, counters and rate limiters on virtual time, while leaders crash, members
 * are cut off and clients stand still, held to the dumbest models of them.
 */
import { type ConclaveErrorCode, isConclaveError } from "@conclave/client";
import {
  createBarrier,
  createCounter,
  createDelayQueue,
  createDoubleBarrier,
  createPriorityQueue,
  createRateLimiter,
} from "@conclave/recipes";
import { FaultSchedule, type SimulatedClient, SimulatedCluster, seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const given = process.env.SEED;
const seeds = given === undefined ? Array.from({ length: 6 }, (_, at) => at + 1) : [Number(given)];
const faults = { crash: 10, partition: 10, isolation: 10, oneWay: 5, pause: 5, badNetwork: 5, transfer: 5 };

/** What a scenario has at hand. */
interface Stage {
  readonly cluster: SimulatedCluster;
  readonly random: ReturnType<typeof seededRandom>;
  /** Lets members fail for so long, and repairs them. */
  trouble(durationMs: number): Promise<void>;
}

/** Runs a scenario in a cluster whose clocks all show the same time of day. */
async function onStage(seed: number, scenario: (stage: Stage) => Promise<void>): Promise<void> {
  const random = seededRandom(seed);
  const clock = () => ({ startMs: random.fraction() * 1e6, wallAheadMs: 0, rate: 1 });
  const cluster = new SimulatedCluster({ seed, link: { breaking: 0.01 }, clock });
  await cluster.run(async () => {
    await cluster.start();
    const trouble = async (durationMs: number): Promise<void> => {
      const schedule = new FaultSchedule({ cluster, random: seededRandom(seed), weights: faults });
      const failing = schedule.run();
      await cluster.sleep(durationMs);
      await schedule.repair();
      await failing;
    };
    await scenario({ cluster, random, trouble });
  });
}

/** The code of the error that a call ended with; undefined if it did not. */
async function codeOf(call: Promise<unknown>): Promise<ConclaveErrorCode | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (!isConclaveError(error)) throw error;
    return error.code;
  }
}

/** An item of a queue in the model. */
interface ModelItem {
  readonly name: string;
  /** What it is ordered by; of equals, the one that was put first comes first. */
  readonly rank: number;
}

/** What was put, in order, and what was taken: a queue is a list that is searched for its smallest. */
class ModelQueue {
  /** Items that are there for sure, or have been. */
  readonly put: ModelItem[] = [];
  readonly taken: string[] = [];
  /** Calls that may have put or taken one. */
  unknown = 0;

  /** Each item was given out once at most, and none got lost but by a call of unknown outcome. */
  check(left: number): void {
    expect(new Set(this.taken).size).toBe(this.taken.length);
    expect(left).toBe(0);
    const lost = this.put.filter(({ name }) => !this.taken.includes(name));
    expect(lost.length).toBeLessThanOrEqual(this.unknown);
  }
}

describe("in a cluster where everything goes wrong", () => {
  test.each(seeds)("a priority queue gives each item out once, and a quiet one in order (SEED=%d)", (seed) =>
    onStage(seed, async ({ cluster, random, trouble }) => {
      const model = new ModelQueue();
      const done = new AbortController();
      const queueOf = ({ client }: SimulatedClient) => createPriorityQueue<string>(client, "urgent");
      const taking = Array.from({ length: 2 }, async () => {
        const queue = queueOf(cluster.client());
        while (!done.signal.aborted)
          await queue.dequeue({ signal: done.signal }).then(
            (item) => void model.taken.push(item),
            (error) => isConclaveError(error, "OUTCOME_UNKNOWN") && model.unknown++,
          );
      });
      const producer = cluster.client();
      const producing = (async () => {
        for (let at = 0; at < 30; at++) {
          const item = { name: `item ${at}`, rank: random.below(5) };
          const code = await codeOf(queueOf(producer).enqueue(item.name, { priority: item.rank, timeoutMs: 3_000 }));
          if (code === undefined) model.put.push(item);
          await producer.time.sleep(random.fraction() * 300);
        }
      })();
      await trouble(8_000);
      await producing;
      await cluster.sleep(10_000);
      done.abort();
      await Promise.all(taking);
      model.check(await queueOf(producer).size());

      // With one who takes and nothing that fails it is a list that is searched for the smallest.
      const items = Array.from({ length: 12 }, (_, at) => ({ name: `quiet ${at}`, rank: random.below(4) }));
      for (const { name, rank } of items) await queueOf(producer).enqueue(name, { priority: rank });
      const order = [];
      for (const _ of items) order.push(await queueOf(producer).dequeue());
      expect(order).toEqual(items.toSorted((one, other) => one.rank - other.rank).map(({ name }) => name));
    }),
  );

  test.each(seeds)("a delay queue gives each item out once, and none before it is due (SEED=%d)", (seed) =>
    onStage(seed, async ({ cluster, random, trouble }) => {
      const model = new ModelQueue();
      const done = new AbortController();
      const early: string[] = [];
      const dueMs = new Map<string, number>();
      const taking = Array.from({ length: 2 }, async () => {
        const { client, time } = cluster.client();
        const queue = createDelayQueue<string>(client, "later");
        while (!done.signal.aborted)
          await queue.dequeue({ signal: done.signal }).then(
            (item) => {
              model.taken.push(item);
              if (time.wallMs() < (dueMs.get(item) ?? 0)) early.push(item);
            },
            (error) => isConclaveError(error, "OUTCOME_UNKNOWN") && model.unknown++,
          );
      });
      const producer = cluster.client();
      const queue = createDelayQueue<string>(producer.client, "later");
      const producing = (async () => {
        for (let at = 0; at < 25; at++) {
          const rank = Math.floor(producer.time.wallMs() + random.fraction() * 4_000);
          const item = { name: `item ${at}`, rank };
          dueMs.set(item.name, rank);
          const code = await codeOf(queue.enqueue(item.name, { dueAt: new Date(rank), timeoutMs: 3_000 }));
          if (code === undefined) model.put.push(item);
          await producer.time.sleep(random.fraction() * 200);
        }
      })();
      await trouble(8_000);
      await producing;
      await cluster.sleep(15_000);
      done.abort();
      await Promise.all(taking);
      model.check(await queue.size());
      expect(early).toEqual([]);
    }),
  );

  test.each(seeds)("nobody passes a barrier that is surely down, and all pass when it is open (SEED=%d)", (seed) =>
    onStage(seed, async ({ cluster, random, trouble }) => {
      const holders = [cluster.client(), cluster.client()];
      const passers = [cluster.client(), cluster.client(), cluster.client()];
      const [violations, down]: [string[], Set<{ readonly held: boolean; since: number }>] = [[], new Set()];
      const stop = new AbortController();
      let passed = 0;
      const holding = holders.map(async ({ client, time }) => {
        const barrier = createBarrier(client, "barrier", { ttlSec: 3 });
        while (!stop.signal.aborted) {
          await time.sleep(random.fraction() * 1_500);
          const held = await barrier.hold({ timeoutMs: 3_000 }).catch(() => undefined);
          if (held === undefined) continue;
          if ([...down].some((other) => other.held) && held.held) violations.push("two hold it down");
          const entry = {
            since: cluster.time.monotonicMs(),
            get held() {
              return held.held;
            },
          };
          down.add(entry);
          await time.sleep(random.fraction() * 1_000);
          down.delete(entry);
          await held.release({ timeoutMs: 3_000 }).catch(() => {});
        }
      });
      const passing = passers.map(async ({ client, time }) => {
        while (!stop.signal.aborted) {
          const beganMs = cluster.time.monotonicMs();
          const code = await codeOf(createBarrier(client, "barrier").wait({ signal: stop.signal }));
          // One that was down all the while, by a holder who was sure of it then and is so now.
          if (code === undefined && [...down].some(({ held, since }) => held && since < beganMs))
            violations.push("one passes while it is down");
          if (code === undefined) passed++;
          await time.sleep(random.fraction() * 500);
        }
      });
      await trouble(8_000);
      stop.abort();
      await Promise.all([...holding, ...passing]);
      await createBarrier(passers[0]?.client ?? cluster.client().client, "barrier").wait({ timeoutMs: 8_000 });
      expect(violations).toEqual([]);
      expect(passed).toBeGreaterThan(5);
    }),
  );

  test.each(seeds)("exactly so many enter a double barrier together, and nobody leaves alone (SEED=%d)", (seed) =>
    onStage(seed, async ({ cluster, random, trouble }) => {
      const count = 3;
      const violations: string[] = [];
      const stop = new AbortController();
      const inside = new Set<object>();
      let entries = 0;
      const taking = Array.from({ length: 5 }, async () => {
        const { client, time } = cluster.client();
        const barrier = createDoubleBarrier(client, "double", { count, ttlSec: 20 });
        while (!stop.signal.aborted) {
          const entered = await barrier.enter({ signal: stop.signal }).catch(() => undefined);
          if (entered === undefined) continue;
          entries++;
          if (inside.add(entered).size > count) violations.push(`${inside.size} are inside`);
          await time.sleep(random.fraction() * 300);
          inside.delete(entered);
          // No next round begins before this one has left, so they are all of its round.
          const fellows = [...inside];
          const code = await codeOf(entered.leave({ timeoutMs: 40_000 }));
          if (code === undefined && fellows.some((fellow) => inside.has(fellow))) violations.push("one leaves alone");
        }
      });
      await trouble(8_000);
      // Longer than a participant counts who gave up in the trouble and could not say so.
      await cluster.sleep(30_000);
      stop.abort();
      await Promise.all(taking);
      expect(violations).toEqual([]);
      expect(entries).toBeGreaterThanOrEqual(2 * count);
    }),
  );

  test.each(seeds)("a counter is the sum of what was added, and of some of what may have been (SEED=%d)", (seed) =>
    onStage(seed, async ({ cluster, random, trouble }) => {
      const sums = { sure: 0, least: 0, most: 0 };
      const results: number[] = [];
      const adding = Array.from({ length: 3 }, async () => {
        const { client, time } = cluster.client();
        const counter = createCounter(client, "counter");
        for (let at = 0; at < 15; at++) {
          const delta = random.below(21) - 10;
          const code = await codeOf(counter.add(delta, { timeoutMs: 4_000 }).then((sum) => results.push(sum)));
          if (code === undefined) sums.sure += delta;
          if (code === "OUTCOME_UNKNOWN") sums[delta < 0 ? "least" : "most"] += delta;
          await time.sleep(random.fraction() * 300);
        }
      });
      await trouble(8_000);
      await Promise.all(adding);
      const value = await createCounter(cluster.client().client, "counter").get();
      expect(value).toBeGreaterThanOrEqual(sums.sure + sums.least);
      expect(value).toBeLessThanOrEqual(sums.sure + sums.most);
      expect(results.length).toBeGreaterThan(10);
    }),
  );

  test.each(seeds)("a rate limiter never lets more through than a burst and the rate, however long (SEED=%d)", (seed) =>
    onStage(seed, async ({ cluster, random, trouble }) => {
      const [limit, periodMs, burst] = [5, 1_000, 3];
      const throughMs: number[] = [];
      const stop = new AbortController();
      const asking = Array.from({ length: 3 }, async () => {
        const { client, time } = cluster.client();
        const limiter = createRateLimiter(client, "limit", { limit, periodMs, burst });
        while (!stop.signal.aborted) {
          const askedAtMs = time.wallMs();
          const decision = await limiter.tryTake("subject", { timeoutMs: 2_000 }).catch(() => undefined);
          // It was let through at some moment from when it was asked for: the earliest is the strictest.
          if (decision?.isAllowed === true) throughMs.push(askedAtMs);
          await time.sleep(random.fraction() * 200);
        }
      });
      await trouble(8_000);
      stop.abort();
      await Promise.all(asking);
      throughMs.sort((one, other) => one - other);
      expect(throughMs.length).toBeGreaterThan(burst);
      // Asked for at most 2 s before it was let through: no window holds more than in that much more time.
      for (const [at, fromMs] of throughMs.entries())
        for (const [more, toMs] of throughMs.slice(at).entries())
          expect(more + 1).toBeLessThanOrEqual(burst + (limit * (toMs - fromMs + 2_000)) / periodMs);
    }),
  );
});
