/** @module `npm run crash`: the crash campaign at any length. */
import { parseArgs } from "node:util";
import { runCrashCampaign } from "./crash-campaign.ts";

const usage = `Usage: npm run crash -- [--kills N] [--seed N]

  --kills N   how often the member is killed (default 200)
  --seed N    repeats the load of an earlier run (default: from the clock)
`;

/** Reads a whole number above 0; undefined if it is none. */
function readCount(text: string): number | undefined {
  const count = Number(text);
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: "string", default: "200" },
      seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
    },
  });
  const kills = readCount(values.kills);
  const seed = readCount(values.seed);
  if (kills === undefined || seed === undefined) throw new TypeError("--kills and --seed take whole numbers above 0");
  console.log(`crash: ${kills} kills, seed ${seed}`);
  const summary = await runCrashCampaign({ kills, seed, say: (line) => console.log(line) });
  console.log(`crash: ${summary.kills} kills, ${summary.acknowledged} acknowledged writes, 0 lost`);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof TypeError;
  console.error(isUsage ? `crash: ${error.message}\n\n${usage}` : error);
  process.exitCode = isUsage ? 2 : 1;
}
