import type { Result } from "./compare.ts";
import type { Load } from "./load.ts";
import type { SubjectName } from "./subject.ts";

const columns = [
  "load",
  "unit",
  "etcd",
  "conclave",
  "conclave / etcd",
  "better",
  "target",
  "cpu us/op etcd",
  "conclave",
] as const;
const widths = [26, 14, 10, 10, 16, 8, 8, 15, 10] as const;

function line(cells: readonly string[]): string {
  return cells.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" ");
}

/** A figure with as many digits as say something. */
export function figure(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? Math.round(value).toLocaleString("en-US").replaceAll(",", " ") : value.toFixed(1);
}

/** The head of the table. */
export function tableHead(): string {
  return `${line(columns)}\n${widths.map((width) => "-".repeat(width)).join(" ")}`;
}

/** What Conclave is held to, as in `>= 2`; empty if there is nothing. */
export function targetText({ better, target }: Load): string {
  return target === undefined ? "" : `${better === "higher" ? ">=" : "<="} ${target.value}`;
}

/** Conclave's figure divided by etcd's; undefined unless both were measured. */
export function ratioOf(results: readonly Result[]): number | undefined {
  const [etcd, conclave] = [resultOf(results, "etcd"), resultOf(results, "conclave")];
  return etcd && conclave && conclave.value / etcd.value;
}

/** What one server gave. */
export function resultOf(results: readonly Result[], name: SubjectName): Result | undefined {
  return results.find(({ subject }) => subject === name);
}

/** The row of a load. A server that was not measured has an empty cell. */
export function tableRow(load: Load, results: readonly Result[]): string {
  const [etcd, conclave] = [resultOf(results, "etcd"), resultOf(results, "conclave")];
  const cells = [
    figure(etcd?.value),
    figure(conclave?.value),
    ratioOf(results)?.toFixed(2) ?? "",
    load.better,
    targetText(load),
    figure(etcd?.cpuUs),
    figure(conclave?.cpuUs),
  ];
  return line([load.name, load.unit, ...cells]);
}
