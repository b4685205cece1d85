import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "./seeded-random.ts";

const draws = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.below(1_000_000));
};

describe("seededRandom()", () => {
  it("gives the same numbers for the same seed and others for another", () => {
    expect(draws(7, 100)).toEqual(draws(7, 100));
    expect(draws(7, 100)).not.toEqual(draws(8, 100));
  });

  it("stays within its bounds for every seed and limit", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (seed, limit) => {
        const random = seededRandom(seed);
        const drawn = random.below(limit);
        expect(Number.isSafeInteger(drawn) && drawn >= 0 && drawn < limit).toBe(true);
        const fraction = random.fraction();
        expect(fraction >= 0 && fraction < 1).toBe(true);
        expect(random.bytes(limit % 20)).toHaveLength(limit % 20);
      }),
    );
  });

  it("draws each of a few numbers about equally often", () => {
    const random = seededRandom(1);
    const counts = [0, 0, 0, 0, 0];
    for (let draw = 0; draw < 10_000; draw++) {
      const drawn = random.below(5);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(300);
  });

  it("refuses a limit below one", () => {
    expect(() => seededRandom(1).below(0)).toThrow(RangeError);
  });
});
