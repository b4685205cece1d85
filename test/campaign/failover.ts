/** @module `npm run failover`: leaders of a real cluster killed under load, for as long as wanted. */
import { parseArgs } from "node:util";
import { namespacesAbsence } from "@conclave/testkit";
import { runFailoverCampaign } from "./failover-campaign.ts";

const usage = `Usage: npm run failover -- [--minutes N] [--seed N] [--network loopback|namespaces]

  --minutes N    how long leaders are killed (default 5)
  --seed N       repeats what the clients of an earlier run asked (default: from the clock)
  --network KIND where the members are: together (loopback, the default), or each in a network namespace of its own
                 and known by a host name (namespaces; Linux, as root)
`;
/** etcd's default, which the members run with. */
const electionTimeoutMs = 1_000;

function readPositive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new TypeError(`--${name} takes a number above 0: "${text}"`);
  return value;
}

function readNetwork(text: string): "loopback" | "namespaces" {
  if (text !== "loopback" && text !== "namespaces") {
    throw new TypeError(`--network is "loopback" or "namespaces", not "${text}"`);
  }
  const absent = text === "namespaces" ? namespacesAbsence() : undefined;
  if (absent !== undefined) throw new TypeError(absent);
  return text;
}

/** The value that a share of all lies below. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "5" },
      seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
      network: { type: "string", default: "loopback" },
    },
  });
  const minutes = readPositive("minutes", values.minutes);
  const seed = Math.floor(readPositive("seed", values.seed));
  const network = readNetwork(values.network);
  console.log(`failover: ${minutes} minutes, seed ${seed}, network ${network}`);
  const summary = await runFailoverCampaign({
    durationMs: minutes * 60_000,
    seed,
    network,
    say: (line) => console.log(line),
  });
  const elections = (ms: number) => (ms / electionTimeoutMs).toFixed(1);
  const { kills, operations, outagesMs } = summary;
  console.log(
    `failover: served again after ${elections(quantile(outagesMs, 0.5))} election timeouts in the middle, ` +
      `${elections(quantile(outagesMs, 0.9))} at nine tenths, ${elections(Math.max(...outagesMs))} at most`,
  );
  console.log(`failover: ${kills} kills, ${operations} operations linearizable, 0 acknowledged writes lost`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof TypeError;
  console.error(isUsage ? `failover: ${error.message}\n\n${usage}` : error);
  process.exitCode = isUsage ? 2 : 1;
}
