import { describe, expect, it } from "vitest";
import { exponentialBounds, Histogram } from "./histogram.ts";

describe("Histogram", () => {
  it("counts each value in the first bucket whose bound it does not exceed", () => {
    const histogram = new Histogram([1, 2, 4]);
    for (const value of [0, 1, 1.5, 4, 4.1, 100]) histogram.observe(value);
    expect(histogram.counts).toEqual([2, 1, 1, 2]);
    expect(histogram.count).toBe(6);
    expect(histogram.sum).toBeCloseTo(110.6);
  });
});

describe("exponentialBounds()", () => {
  it("grows by the factor, with as many digits as the bounds are written with", () => {
    expect(exponentialBounds({ start: 0.001, factor: 2, count: 14 })).toEqual([
      0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192,
    ]);
  });
});
