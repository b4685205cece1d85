import type { Result } from "./compare.ts";
import type { Load } from "./load.ts";

const columns = [
  "load",
  "unit",
  "etcd",
  "conclave",
  "conclave / etcd",
  "better",
  "cpu us/op etcd",
  "conclave",
] as const;
const widths = [26, 14, 10, 10, 16, 8, 15, 10] as const;

function line(cells: readonly string[]): string {
  return cells.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" ");
}

function figure(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? Math.round(value).toLocaleString("en-US").replaceAll(",", " ") : value.toFixed(1);
}

/** The head of the table. */
export function tableHead(): string {
  return `${line(columns)}\n${widths.map((width) => "-".repeat(width)).join(" ")}`;
}

/** The row of a load. A server that was not measured has an empty cell. */
export function tableRow({ name, unit, better }: Load, results: readonly Result[]): string {
  const [etcd, conclave] = (["etcd", "conclave"] as const).map((wanted) =>
    results.find(({ subject }) => subject === wanted),
  );
  const ratio = etcd !== undefined && conclave !== undefined ? (conclave.value / etcd.value).toFixed(2) : "";
  const cells = [
    figure(etcd?.value),
    figure(conclave?.value),
    ratio,
    better,
    figure(etcd?.cpuUs),
    figure(conclave?.cpuUs),
  ];
  return line([name, unit, ...cells]);
}
