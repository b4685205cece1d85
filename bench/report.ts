/** @module What the loads gave, for `docs/benchmarks.md`. */
import { writeFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { join } from "node:path";
import { type Bar, drawChart } from "./chart.ts";
import type { Result } from "./compare.ts";
import type { Load } from "./load.ts";
import { versionOf } from "./subject.ts";
import { figure, ratioOf, resultOf, targetText } from "./table.ts";

/** A load and what it gave. */
export interface Row {
  readonly load: Load;
  readonly results: readonly Result[];
}

const docs = join(import.meta.dirname, "..", "docs");

/** The figure with the spread of the rounds. */
function cell(result: Result | undefined): string {
  if (result === undefined) return "";
  const [least, greatest] = result.range;
  return `${figure(result.value)} (${figure(least)} – ${figure(greatest)})`;
}

/** Whether a load reached its target; undefined if it has none, or was not measured. */
export function isReached({ load: { better, target }, results }: Row): boolean | undefined {
  const reached = target?.of === "ratio" ? ratioOf(results) : resultOf(results, "conclave")?.value;
  if (target === undefined || reached === undefined) return undefined;
  return better === "higher" ? reached >= target.value : reached <= target.value;
}

function tableLine(row: Row): string {
  const { load, results } = row;
  const reached = isReached(row);
  const cells = [
    `\`${load.name}\``,
    load.unit,
    cell(resultOf(results, "etcd")),
    cell(resultOf(results, "conclave")),
    ratioOf(results)?.toFixed(2) ?? "",
    targetText(load),
    reached === undefined ? "" : reached ? "yes" : "no",
    figure(resultOf(results, "etcd")?.cpuUs),
    figure(resultOf(results, "conclave")?.cpuUs),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** How many times better than etcd; undefined unless both were measured. */
function barOf({ load: { name, better, target }, results }: Row): Bar | undefined {
  const ratio = ratioOf(results);
  if (ratio === undefined) return undefined;
  const times = (value: number): number => (better === "higher" ? value : 1 / value);
  return { name, times: times(ratio), target: target?.of === "ratio" ? times(target.value) : undefined };
}

function pageOf(rows: readonly Row[], rounds: number): string {
  const [processor] = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `# Benchmarks

Written by \`pnpm bench\` on ${new Date().toISOString().slice(0, 10)}: Conclave ${versionOf("conclave")} on Node
${process.versions.node} beside etcd ${versionOf("etcd")}, each load on both in turns, ${rounds === 1 ? "one round" : `${rounds} rounds`}, on
${availableParallelism()} cores (${processor?.model.trim() ?? arch()}, ${platform()}, ${gibibytes} GiB), which servers and load generators
share. Figures are medians, with the least and the greatest round in parentheses; the ratio is Conclave's figure divided
by etcd's. [bench/README.md](../bench/README.md) tells what each load does.

![how many times better than etcd](benchmarks.svg)

The bars tell how many times better than etcd (1: as good), whether more is better or less; the marks are targets. [Where
the time goes](performance.md) says why some are not reached.

| load | unit | etcd | Conclave | ratio | target | reached | cpu µs/op etcd | Conclave |
|---|---|---|---|---|---|---|---|---|
${rows.map(tableLine).join("\n")}
`;
}

/**
 * Writes the page and its chart.
 *
 * @param rounds - how often each load was run
 * @returns the files
 */
export async function writeReport(rows: readonly Row[], rounds: number): Promise<readonly string[]> {
  const bars = rows.map(barOf).filter((bar) => bar !== undefined);
  const [page, chart] = [join(docs, "benchmarks.md"), join(docs, "benchmarks.svg")];
  await writeFile(page, pageOf(rows, rounds));
  await writeFile(chart, drawChart(bars));
  return [page, chart];
}
