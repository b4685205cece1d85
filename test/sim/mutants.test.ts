/** @module Faults of the kind that people make are found: each by a seed that is known to find it. */
import { describe, expect, test } from "vitest";
import { mutants } from "./mutants/mutants.mjs";
import { runSeeds } from "./sim-pool.ts";
import type { SimulationReport } from "./simulation.ts";

/** Everything that was found wrong by some seeds. */
async function violationsOf(seeds: readonly number[], seconds: number, mutant?: string): Promise<readonly string[]> {
  const reports: SimulationReport[] = [];
  await runSeeds({ seeds, seconds, mutant, onReport: (report) => reports.push(report) > 0 });
  expect(reports).toHaveLength(seeds.length);
  return reports.flatMap(({ violations }) => violations);
}

const killers = Object.entries(mutants).map(([name, { killedBy }]) => ({ name, ...killedBy }));

describe("the simulation", () => {
  test.each(killers)("finds $name with seed $seed", async ({ name, seed, seconds }) => {
    expect(await violationsOf([seed], seconds, name)).not.toEqual([]);
  });

  const soManyRunsMs = 600_000;
  test("finds nothing in the sources as they are, by the same seeds", { timeout: soManyRunsMs }, async () => {
    const seeds = [...new Set(killers.map(({ seed }) => seed))];
    expect(await violationsOf(seeds, Math.max(...killers.map(({ seconds }) => seconds)))).toEqual([]);
  });
});
