/**
 * @module What a monitoring setup for etcd expects at `/metrics`, filled with this member's values. Whatever happens
 * often is counted in plain numbers where it happens; all else is read when it is asked for.
 */
import type { MethodStats } from "@conclave/rpc";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { HealthChecks } from "../http/health-checks.ts";
import type { Member } from "../member.ts";
import { callFamilies } from "./call-families.ts";
import { type Family, gauge, renderFamilies } from "./exposition.ts";
import type { Instruments } from "./instruments.ts";
import { memberFamilies } from "./member-families.ts";
import { storeFamilies } from "./store-families.ts";

/** The metrics of one member. */
export interface Metrics {
  /** The media type of {@link render}'s text. */
  readonly contentType: string;
  /** All metrics in the text format of Prometheus, read at this moment. */
  render(): Promise<string>;
}

/** What metrics tell of. */
export interface MetricsOptions {
  readonly member: Member;
  readonly instruments: Instruments;
  /** Outcomes of health checks. */
  readonly checks: HealthChecks;
  /** Counts of every method. */
  readonly calls: () => readonly MethodStats[];
  /** Size of the store, in bytes, at which writes are refused; infinite if there is none. */
  readonly quotaBytes: number;
}

/** Counts the leaders that become known from now on. */
function countLeaders(member: Member): () => number {
  let count = 0;
  member.onLeaderChange((leader) => {
    if (leader !== 0n) count++;
  });
  return () => count;
}

/** Open files under the names that etcd has for them beside those of the process. */
async function fileFamilies(registry: Registry): Promise<readonly Family[]> {
  const read = async (name: string): Promise<number> =>
    (await registry.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;
  const [used, limit] = await Promise.all([read("process_open_fds"), read("process_max_fds")]);
  return [gauge("os_fd_used", "Open files.", () => used), gauge("os_fd_limit", "Files that may be open.", () => limit)];
}

/** Creates the metrics of a member that has not started yet. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { member, instruments, calls } = options;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const families = [
    ...memberFamilies({ ...options, leaderChanges: countLeaders(member) }),
    ...storeFamilies(member, instruments),
    ...callFamilies(calls),
  ];
  return {
    contentType: registry.contentType,
    async render() {
      return renderFamilies([...families, ...(await fileFamilies(registry))]) + (await registry.metrics());
    },
  };
}
