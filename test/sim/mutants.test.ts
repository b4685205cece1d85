/** @module Faults of the kind that people make are found: each by a seed that is known to find it. */
import { describe, expect, test } from "vitest";
import { mutants } from "./mutants/mutants.mjs";
import { runSeeds } from "./sim-pool.ts";
import type { SimulationReport } from "./simulation.ts";

async function reportOf(seed: number, seconds: number, mutant?: string): Promise<SimulationReport | undefined> {
  let found: SimulationReport | undefined;
  await runSeeds({
    seeds: [seed],
    seconds,
    mutant,
    onReport(report) {
      found = report;
      return false;
    },
  });
  return found;
}

const killers = Object.entries(mutants).flatMap(([name, { killedBy }]) =>
  killedBy === undefined ? [] : [{ name, ...killedBy }],
);

describe("the simulation", () => {
  test.each(killers)("finds $name with seed $seed", async ({ name, seed, seconds }) => {
    expect((await reportOf(seed, seconds, name))?.violations).not.toEqual([]);
  });

  test("finds nothing in the sources as they are, by the same seeds", async () => {
    for (const { seed, seconds } of killers) expect((await reportOf(seed, seconds))?.violations).toEqual([]);
  });
});
