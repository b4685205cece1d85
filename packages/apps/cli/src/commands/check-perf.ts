import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { durationFlag } from "../flags.ts";
import {
  type CheckOptions,
  checkFlags,
  type LoadName,
  type LoadResult,
  loadNamed,
  onFreshPrefix,
  runLoad,
  tellErrors,
} from "./check-load.ts";

/** Puts a second that a cluster for this load takes, and the clients that send them: etcd's figures. */
const loads: Readonly<Record<LoadName, { readonly putsPerSecond: number; readonly clients: number }>> = {
  s: { putsPerSecond: 150, clients: 50 },
  m: { putsPerSecond: 1_000, clients: 200 },
  l: { putsPerSecond: 8_000, clients: 500 },
  xl: { putsPerSecond: 15_000, clients: 1_000 },
};

/** Share of the puts that must come through. */
const throughputMin = 0.9;
const slowestSecMax = 0.5;
const deviationSecMax = 0.1;

/** `check perf`: whether the cluster bears a load. */
export const checkPerfCommand: CommandSpec<CheckOptions & { readonly duration: number }> = {
  names: ["perf"],
  usage: "",
  description: "put keys for a minute and show whether the cluster keeps up with the load",
  flags: [...checkFlags("/etcdctl-check-perf/"), durationFlag("duration", "how long the load goes on", "60s")],
  async run(context, { options }) {
    const load = loads[loadNamed(options.load)];
    const puts = Math.ceil((load.putsPerSecond * options.duration) / 1_000);
    const result = await onFreshPrefix(context, { options }, () =>
      runLoad(context.client, options.prefix, {
        ...load,
        ...{ puts, durationMs: options.duration, keyBytes: 256, valueBytes: 1_024 },
      }),
    );
    const passed = judge(context, result, load.putsPerSecond);
    context.io.out(passed ? "PASS\n" : "FAIL\n");
    if (!passed) throw new CommandError(exitCodes.failure, "");
  },
};

/** Shows how a load went; returns whether it went well. */
function judge(context: CommandContext, result: LoadResult, putsPerSecond: number): boolean {
  const { out } = context.io;
  const hasErrors = tellErrors(context, result);
  const { throughput, slowestSec, deviationSec } = summary(result);
  const isFast = throughput / putsPerSecond > throughputMin;
  const writes = Math.floor(throughput) + 1;
  out(isFast ? `PASS: Throughput is ${writes} writes/s\n` : `FAIL: Throughput too low: ${writes} writes/s\n`);
  const isPrompt = slowestSec <= slowestSecMax;
  const slowest = slowestSec.toFixed(6);
  out(isPrompt ? `PASS: Slowest request took ${slowest}s\n` : `Slowest request took too long: ${slowest}s\n`);
  const isSteady = deviationSec <= deviationSecMax;
  const deviation = deviationSec.toFixed(6);
  out(isSteady ? `PASS: Stddev is ${deviation}s\n` : `Stddev too high: ${deviation}s\n`);
  return !hasErrors && isFast && isPrompt && isSteady;
}

/** The figures that are judged. */
export function summary({ latenciesSec, tookSec }: Pick<LoadResult, "latenciesSec" | "tookSec">): {
  readonly throughput: number;
  readonly slowestSec: number;
  readonly deviationSec: number;
} {
  const count = latenciesSec.length;
  if (count === 0) return { throughput: 0, slowestSec: 0, deviationSec: 0 };
  const mean = latenciesSec.reduce((sum, each) => sum + each, 0) / count;
  const variance = latenciesSec.reduce((sum, each) => sum + (each - mean) ** 2, 0) / count;
  const slowestSec = latenciesSec.reduce((most, each) => Math.max(most, each), 0);
  return { throughput: count / tookSec, slowestSec, deviationSec: Math.sqrt(variance) };
}
