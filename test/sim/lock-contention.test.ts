/** @module Fixed seeds of many who want one lock while everything goes wrong; `npm run sim:locks` runs more and longer ones. */
import { describe, expect, test } from "vitest";
import { runLockContention } from "./lock-contention.ts";

const given = process.env.SEED;
const seeds = given === undefined ? Array.from({ length: 100 }, (_, at) => at + 1) : [Number(given)];
const seconds = 8;

describe("locks whose holders stall for parts and multiples of their time to live, die and are cut off", () => {
  let looks = 0;
  let lost = 0;
  test.each(seeds)("exclude, stay fair and come free (SEED=%d)", async (seed) => {
    const report = await runLockContention({ seed, seconds });
    expect(report.violations).toEqual([]);
    looks += report.looks;
    lost += report.lost;
  });

  test.skipIf(given !== undefined)("are looked at after stalls that they outlive, and after others", () => {
    expect(lost).toBeGreaterThan(20);
    expect(looks - lost).toBeGreaterThan(20);
  });

  test("do the same in two runs of one seed", async () => {
    const run = () => runLockContention({ seed: 11, seconds });
    expect(await run()).toEqual(await run());
  });
});
