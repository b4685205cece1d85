/** @module Metrics in the text format of Prometheus, written from values that are read at that moment. */
import type { Histogram } from "@conclave/base";

/** The labels of one value. */
export type Labels = Readonly<Record<string, string>>;

/** One value, under its labels. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** One histogram, under its labels. */
export interface HistogramSample {
  readonly labels?: Labels;
  readonly histogram: Histogram;
}

/** A metric: its name, and how to read it. */
export type Family =
  | {
      readonly name: string;
      readonly help: string;
      readonly type: "counter" | "gauge";
      readonly read: () => number | readonly Sample[];
    }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: "histogram";
      readonly read: () => Histogram | readonly HistogramSample[];
    };

function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeValue(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

function histogramLines(name: string, { labels = {}, histogram }: HistogramSample): string {
  let total = 0;
  const buckets = histogram.counts.map((count, bucket) => {
    total += count;
    return line(`${name}_bucket`, { ...labels, le: String(histogram.bounds[bucket] ?? "+Inf") }, total);
  });
  return buckets.join("") + line(`${name}_sum`, labels, histogram.sum) + line(`${name}_count`, labels, total);
}

function lines(family: Family): string {
  if (family.type === "histogram") {
    const read = family.read();
    const samples = "counts" in read ? [{ histogram: read }] : read;
    return samples.map((sample) => histogramLines(family.name, sample)).join("");
  }
  const read = family.read();
  const samples = typeof read === "number" ? [{ value: read }] : read;
  return samples.map(({ labels = {}, value }) => line(family.name, labels, value)).join("");
}

/** Writes metrics, each with its help and type. One without any value is left out, as by etcd. */
export function renderFamilies(families: readonly Family[]): string {
  return families
    .map((family) => ({ family, text: lines(family) }))
    .filter(({ text }) => text !== "")
    .map(({ family: { name, help, type }, text }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${text}`)
    .join("");
}

/** A gauge that has one value. */
export function gauge(name: string, help: string, read: () => number | readonly Sample[]): Family {
  return { name, help, type: "gauge", read };
}

/** A counter. */
export function counter(name: string, help: string, read: () => number | readonly Sample[]): Family {
  return { name, help, type: "counter", read };
}

/** A histogram. */
export function histogram(name: string, help: string, read: () => Histogram | readonly HistogramSample[]): Family {
  return { name, help, type: "histogram", read };
}
