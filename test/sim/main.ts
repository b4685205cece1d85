/** @module `npm run sim`: the simulation over any number of seeds, and the replay of one. */
import { parseArgs } from "node:util";
import { mutants } from "./mutants/mutants.mjs";
import { runSeeds } from "./sim-pool.ts";
import type { SimulationReport } from "./simulation.ts";

const usage = `Usage: npm run sim -- [--seeds N] [--seconds N] [--seed N] [--mutant NAME]

  --seeds N      how many seeds to run (default 100; 1 if --seed is given)
  --seconds N    how long things go wrong in each, in seconds of the simulation (default 60)
  --seed N       the first seed (default: from the clock)
  --mutant NAME  puts a fault into the sources first; it is to be found. One of
                 ${Object.keys(mutants).join("\n                 ")}
`;

class UsageError extends Error {}

interface Arguments {
  readonly seeds: readonly number[];
  readonly seconds: number;
  readonly mutant: string | undefined;
}

function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string" },
      seconds: { type: "string", default: "60" },
      seed: { type: "string" },
      mutant: { type: "string" },
    },
  });
  const { mutant } = values;
  if (mutant !== undefined && !(mutant in mutants)) throw new UsageError(`there is no mutant '${mutant}'`);
  const first = values.seed === undefined ? Date.now() % 2 ** 31 : countOf("--seed", values.seed);
  const count = countOf("--seeds", values.seeds ?? (values.seed === undefined ? "100" : "1"));
  return {
    seeds: Array.from({ length: count }, (_, at) => first + at),
    seconds: countOf("--seconds", values.seconds),
    mutant,
  };
}

function countOf(name: string, text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new UsageError(`${name} takes a whole number above 0`);
  return count;
}

/** What a run has come to so far. */
class Tally {
  seeds = 0;
  virtualMs = 0;
  operations = 0;
  readonly faults = new Map<string, number>();
  readonly failed: SimulationReport[] = [];

  add(report: SimulationReport): void {
    this.seeds++;
    this.virtualMs += report.virtualMs;
    this.operations += report.operations;
    for (const [kind, count] of Object.entries(report.faults))
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    if (report.violations.length > 0) this.failed.push(report);
  }

  describe(realMs: number): string {
    const faults = [...this.faults]
      .sort(([, left], [, right]) => right - left)
      .map(([kind, count]) => `${kind} ${count}`);
    const hours = this.virtualMs / 3_600_000;
    return [
      `sim: ${this.seeds} seeds, ${hours.toFixed(2)} simulated hours, ${this.operations} operations, ${this.failed.length} failed`,
      `sim: faults: ${faults.join(", ")}`,
      `sim: ${(realMs / 1000).toFixed(0)} s, ${(hours / (realMs / 60_000)).toFixed(2)} simulated hours per real minute`,
    ].join("\n");
  }
}

const traceShown = 40;
/** A long campaign says now and then how far it is. */
const seedsBetweenNews = 250;

function explain({ seed, violations, trace }: SimulationReport, { seconds, mutant }: Arguments): string {
  const replay = `npm run sim -- --seed ${seed} --seconds ${seconds}${mutant === undefined ? "" : ` --mutant ${mutant}`}`;
  return [
    `sim: seed ${seed} fails; replay it with: ${replay}`,
    ...violations.map((violation) => `  ${violation}`),
    "  the last that happened:",
    ...trace.slice(-traceShown).map((line) => `    ${line}`),
  ].join("\n");
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseArguments(args);
  const { seeds, seconds, mutant } = options;
  console.log(
    `sim: seeds ${seeds[0]} to ${seeds.at(-1)}, ${seconds} s each${mutant === undefined ? "" : `, mutant ${mutant}`}`,
  );
  const tally = new Tally();
  const startMs = performance.now();
  await runSeeds({
    seeds,
    seconds,
    mutant,
    onReport(report) {
      tally.add(report);
      if (report.violations.length > 0) console.log(explain(report, options));
      else if (seeds.length === 1) console.log(`sim: seed ${report.seed} is well; trace ${report.traceHash}`);
      if (tally.seeds % seedsBetweenNews === 0)
        console.log(`sim: ${tally.seeds} of ${seeds.length} seeds, ${tally.failed.length} failed`);
      return mutant === undefined || report.violations.length === 0;
    },
  });
  console.log(tally.describe(performance.now() - startMs));
  if (mutant === undefined) return tally.failed.length > 0 ? 1 : 0;
  console.log(
    tally.failed.length > 0 ? `sim: the mutant is found after ${tally.seeds} seeds` : "sim: the mutant is NOT found",
  );
  return tally.failed.length > 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  console.error(isUsage ? `sim: ${(error as Error).message}\n\n${usage}` : error);
  process.exitCode = isUsage ? 2 : 1;
}
