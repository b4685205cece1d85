import { expect, test } from "vitest";
import { loadNamed } from "./check-load.ts";
import { summary } from "./check-perf.ts";

test("summary() of latencies", () => {
  expect(summary({ latenciesSec: [0.1, 0.3], tookSec: 4 })).toEqual({
    throughput: 0.5,
    slowestSec: 0.3,
    deviationSec: expect.closeTo(0.1),
  });
  expect(summary({ latenciesSec: [], tookSec: 4 })).toEqual({ throughput: 0, slowestSec: 0, deviationSec: 0 });
});

test("loadNamed() takes long names too", () => {
  expect(["s", "Medium", "L", "xLarge"].map(loadNamed)).toEqual(["s", "m", "l", "xl"]);
  expect(() => loadNamed("bogus")).toThrow(expect.objectContaining({ exitCode: 4 }));
});
