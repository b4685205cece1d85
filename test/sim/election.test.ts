/** @module Elections while members crash and are cut off, and candidates stand still, are cut off or hand over. */
import type { Random } from "@conclave/base";
import { FaultSchedule, SimulatedCluster, seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { ElectionWorkload } from "./election-workload.ts";

const given = process.env.SEED;
const seeds = given === undefined ? Array.from({ length: 100 }, (_, at) => at + 1) : [Number(given)];
const seconds = 10;
const faults = { crash: 10, partition: 10, isolation: 10, oneWay: 5, pause: 10, badNetwork: 5, drift: 3, transfer: 5 };

/** Stops candidates, up to twice the time to live, and cuts them off, until told to end. */
async function troubleCandidates(
  cluster: SimulatedCluster,
  candidates: readonly string[],
  { random, isOver }: { readonly random: Random; readonly isOver: () => boolean },
): Promise<void> {
  while (!isOver()) {
    await cluster.sleep(random.fraction() * 3_000);
    const name = candidates[random.below(candidates.length)] ?? "";
    if (random.below(2) === 0) cluster.pause(name);
    else cluster.isolate(name);
    await cluster.sleep(random.fraction() * 6_000);
    cluster.resume(name);
    cluster.heal();
  }
}

async function runElections(seed: number): Promise<ElectionWorkload> {
  const random = seededRandom(seed);
  const draw = () => seededRandom(random.below(2 ** 31));
  const cluster = new SimulatedCluster({ seed });
  return await cluster.run(async () => {
    await cluster.start();
    const workload = new ElectionWorkload({ cluster, random: draw() });
    const schedule = new FaultSchedule({ cluster, random: draw(), weights: faults });
    const work = workload.run();
    let isOver = false;
    const trouble = troubleCandidates(cluster, workload.candidates, { random: draw(), isOver: () => isOver });
    const members = schedule.run();
    await cluster.sleep(seconds * 1_000);
    isOver = true;
    await trouble;
    await schedule.repair();
    await members;
    workload.stop();
    await work;
    await workload.check();
    return workload;
  });
}

describe("an election in which everything goes wrong", () => {
  let elected = 0;
  let handovers = 0;

  test.each(seeds)("never has two leaders, nor shows one that is none (SEED=%d)", async (seed) => {
    const workload = await runElections(seed);
    expect(workload.violations).toEqual([]);
    elected += workload.elected;
    handovers += workload.handovers;
  });

  test("has been tried: leaders were elected and handed over", () => {
    expect(elected).toBeGreaterThan(seeds.length);
    expect(handovers).toBeGreaterThan(seeds.length / 4);
  });
});
