/**
 * @module Whole clusters on virtual time: fixed seeds in which everything goes wrong, the seeds that once found a fault, and
 * what a user's own test can do with a simulated cluster.
 */
import { describe, expect, test } from "vitest";
import { runSimulation } from "./simulation.ts";

const given = process.env.SEED;
const seeds = given === undefined ? Array.from({ length: 100 }, (_, at) => at + 1) : [Number(given)];
/** Short, so that a hundred of them fit into the suite; `npm run sim` runs longer ones. */
const seconds = 12;

describe("a cluster in which everything goes wrong", () => {
  test.each(seeds)("keeps every promise (SEED=%d)", async (seed) => {
    const { violations, operations } = await runSimulation({ seed, seconds });
    expect(violations).toEqual([]);
    expect(operations).toBeGreaterThan(0);
  });

  test("does the same in two runs of one seed, byte for byte", async () => {
    const [first, second] = [await runSimulation({ seed: 7, seconds }), await runSimulation({ seed: 7, seconds })];
    expect(second).toEqual(first);
    expect((await runSimulation({ seed: 8, seconds })).traceHash).not.toBe(first.traceHash);
  });
});
