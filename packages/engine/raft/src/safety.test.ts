import { setVerifying } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { RandomCluster } from "./testing/random-cluster.ts";
import { seededRandom } from "./testing/seeded-random.ts";

setVerifying(true);

// SEED=7 runs one seed again; RUNS=1000 runs many.
const seed = process.env.SEED;
const runs = Number(process.env.RUNS ?? 100);
const seeds = seed === undefined ? Array.from({ length: runs }, (_, at) => at + 1) : [Number(seed)];

const steps = 4000;

function clusterOf(run: number): RandomCluster {
  const random = seededRandom(run);
  return new RandomCluster({
    random,
    voters: 1 + random.below(5),
    newcomers: random.below(3),
    preVote: random.below(4) > 0,
    checkQuorum: random.below(4) > 0,
  });
}

function runSteps(cluster: RandomCluster): RandomCluster {
  for (let at = 0; at < steps; at++) cluster.step();
  return cluster;
}

describe("the safety properties hold whatever happens", () => {
  for (const run of seeds) test(`SEED=${run}`, () => runSteps(clusterOf(run)).converge());
});

test("the same seed gives the same run", () => {
  const [first, second] = [runSteps(clusterOf(1)), runSteps(clusterOf(1))];
  expect(first.describe()).toBe(second.describe());
  expect([...first.safety.applied.values()]).toEqual([...second.safety.applied.values()]);
});
