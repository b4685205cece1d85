import { Histogram } from "@conclave/base";
import { describe, expect, it } from "vitest";
import { counter, gauge, histogram, renderFamilies } from "./exposition.ts";

describe("renderFamilies()", () => {
  it("writes a value with its help and type", () => {
    expect(renderFamilies([gauge("a", "What it is.", () => 1.5)])).toBe(
      "# HELP a What it is.\n# TYPE a gauge\na 1.5\n",
    );
  });

  it("writes each value under its labels, with quotes, backslashes and line feeds escaped", () => {
    const read = () => [
      { labels: { x: "1", y: 'a"b\\c\nd' }, value: 2 },
      { labels: { x: "2", y: "" }, value: 3 },
    ];
    expect(renderFamilies([counter("a_total", "Help.", read)])).toContain(
      '# TYPE a_total counter\na_total{x="1",y="a\\"b\\\\c\\nd"} 2\na_total{x="2",y=""} 3\n',
    );
  });

  it("writes a histogram in ascending buckets, each holding those below", () => {
    const times = new Histogram([0.5, 1]);
    for (const value of [0.1, 0.2, 0.7, 3]) times.observe(value);
    expect(renderFamilies([histogram("t", "Help.", () => [{ labels: { op: "Put" }, histogram: times }])])).toBe(
      '# HELP t Help.\n# TYPE t histogram\nt_bucket{op="Put",le="0.5"} 2\nt_bucket{op="Put",le="1"} 3\n' +
        't_bucket{op="Put",le="+Inf"} 4\nt_sum{op="Put"} 4\nt_count{op="Put"} 4\n',
    );
  });

  it("leaves out what has no value", () => {
    expect(renderFamilies([gauge("a", "Help.", () => []), histogram("b", "Help.", () => [])])).toBe("");
  });
});
