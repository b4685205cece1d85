/** @module `/metrics` beside etcd's: the same names, types and labels, but for those that docs/compatibility.md lists. */
import { readFileSync } from "node:fs";
import { connect } from "@conclave/client";
import { etcdAbsence, startMember } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { expectedMetrics } from "./gateway/etcd-metrics.ts";
import { etcd35 } from "./sides.ts";

interface Metric {
  readonly type: string;
  readonly labels: Set<string>;
  /** Upper bounds of the buckets of a histogram. */
  readonly bounds: Set<number>;
}

/** Reads the text format: the metrics by name, with the names of their labels. */
function parseMetrics(text: string): ReadonlyMap<string, Metric> {
  const metrics = new Map<string, Metric>();
  let current: Metric | undefined;
  for (const line of text.split("\n")) {
    const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (name !== "") {
      current = { type, labels: new Set(), bounds: new Set() };
      metrics.set(name, current);
    } else if (!line.startsWith("#")) {
      for (const [, label = ""] of line.matchAll(/[{,](\w+)="/g)) current?.labels.add(label);
      const [, bound] = /le="([^"]*)"/.exec(line) ?? [];
      if (bound !== undefined) current?.bounds.add(Number(bound));
    }
  }
  return metrics;
}

/** The names that the table of compatibility says are not there; a name that ends in `*` stands for all that begin so. */
function absentNames(): (name: string) => boolean {
  const docs = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
  const section = /## Metrics\n([\s\S]*?)(\n## |$)/.exec(docs)?.[1] ?? "";
  const names = section.replaceAll(/^\|([^|]*)\|.*$/gm, "$1");
  const listed = Array.from(names.matchAll(/`([a-z_]+\*?)`/g), ([, name = ""]) => name);
  return (name) => listed.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each));
}

/** Does a little of everything that metrics with labels wait for, and reads the metrics. */
async function metricsOf(endpoint: string): Promise<ReadonlyMap<string, Metric>> {
  await using client = await connect({ endpoints: [endpoint] });
  await client.put("metric", "1");
  await client.get("metric");
  for (const path of ["/livez", "/readyz", "/health"]) await (await fetch(`http://${endpoint}${path}`)).text();
  return parseMetrics(await (await fetch(`http://${endpoint}/metrics`)).text());
}

describe("/metrics", () => {
  it("has what a monitoring setup for etcd expects, with the same types, but for what the documentation lists", async () => {
    await using member = await startMember();
    const actual = await metricsOf(member.endpoint);
    const isAbsent = absentNames();
    const expected = Object.entries(expectedMetrics).filter(([name]) => !isAbsent(name));
    expect(expected.length).toBeGreaterThanOrEqual(55);
    expect(expected.map(([name]) => [name, actual.get(name)?.type])).toEqual(expected);
    // A line of the list that has become wrong is a fault as well.
    expect(Object.keys(expectedMetrics).filter((name) => isAbsent(name) && actual.has(name))).toEqual([]);
  });

  const absent = etcdAbsence("3.5");
  it.skipIf(absent)(`has what etcd 3.5 has, with the same types, labels and buckets ${absent ?? ""}`, async () => {
    await using etcd = await etcd35.start();
    await using member = await startMember();
    const [expected, actual] = await Promise.all([metricsOf(etcd.endpoint), metricsOf(member.endpoint)]);
    const isAbsent = absentNames();
    const names = [...expected.keys()].filter((name) => !isAbsent(name));
    expect(names.map((name) => [name, actual.get(name)])).toEqual(names.map((name) => [name, expected.get(name)]));
  });

  it("counts what is done", async () => {
    await using member = await startMember();
    await using client = await connect({ endpoints: [member.endpoint] });
    await client.put("counted", "1");
    const { revision } = await client.put("counted", "2");
    await client.get("counted");
    await client.compact(revision, { physical: true });
    await client.maintenance.hashKv();
    const text = await (await fetch(`${member.url}/metrics`)).text();
    const value = (sample: string): number =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${sample} `))
          ?.split(" ")[1],
      );
    expect(value("etcd_mvcc_put_total")).toBe(2);
    expect(value("etcd_mvcc_range_total")).toBe(1);
    expect(value("etcd_server_leader_changes_seen_total")).toBe(1);
    expect(
      value(
        'grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}',
      ),
    ).toBe(2);
    expect(value('etcd_server_apply_duration_seconds_count{version="v3",op="Put",success="true"}')).toBe(2);
    expect(value("etcd_debugging_mvcc_db_compaction_keys_total")).toBe(1);
    for (const name of [
      "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_count",
      "etcd_mvcc_hash_rev_duration_seconds_count",
      "etcd_disk_wal_fsync_duration_seconds_count",
      "etcd_disk_wal_write_bytes_total",
      "os_fd_used",
    ]) {
      expect(value(name)).toBeGreaterThan(0);
    }
  });

  it("has histograms of calls if it is to be extensive", async () => {
    await using member = await startMember({ config: { metrics: "extensive" } });
    await using client = await connect({ endpoints: [member.endpoint] });
    await client.put("counted", "1");
    const text = await (await fetch(`${member.url}/metrics`)).text();
    const labels = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"';
    expect(text).toContain(`grpc_server_handling_seconds_count{${labels}} 1\n`);
  });
});
