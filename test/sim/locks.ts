/** @module `npm run sim:locks`: contention for locks over any number of seeds, and the replay of one. */
import { parseArgs } from "node:util";
import { type LockContentionReport, runLockContention } from "./lock-contention.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    seconds: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
  },
});
const [first, seeds, seconds] = [Number(values.seed), Number(values.seeds), Number(values.seconds)];
if (![first, seeds, seconds].every((count) => Number.isSafeInteger(count) && count > 0))
  throw new RangeError("--seed, --seeds and --seconds take whole numbers above 0");

const reports: LockContentionReport[] = [];
for (let seed = first; seed < first + seeds; seed++) {
  const report = await runLockContention({ seed, seconds });
  reports.push(report);
  if (report.violations.length > 0)
    console.log(
      [
        `locks: seed ${seed} (${report.kind}) fails; replay it with: npm run sim:locks -- --seed ${seed} --seeds 1 --seconds ${seconds}`,
        ...report.violations.map((violation) => `  ${violation}`),
      ].join("\n"),
    );
  if (reports.length % 100 === 0) console.log(`locks: ${reports.length} of ${seeds} seeds`);
}

const sum = (count: (report: LockContentionReport) => number) =>
  reports.reduce((total, report) => total + count(report), 0);
const failed = reports.filter(({ violations }) => violations.length > 0).length;
console.log(
  `locks: ${reports.length} seeds, acquired ${sum(({ acquired }) => acquired)} times; ` +
    `${sum(({ looks }) => looks)} looks after a stall, ${sum(({ lost }) => lost)} found the lock lost; ` +
    `${sum(({ writes }) => writes.done)} guarded writes done, ${sum(({ writes }) => writes.refused)} refused; ${failed} seeds failed`,
);
process.exitCode = failed > 0 ? 1 : 0;
