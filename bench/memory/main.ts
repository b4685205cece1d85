/**
 * @module What the client holds in memory, and whether that grows: `node --import tsx --conditions=@conclave/source
 * bench/memory/main.ts [mirror-100k] [sessions-24h]`. Ends with 1 if something grows.
 */
import { growth, type Weight } from "./heap.ts";
import { weighMirror } from "./mirror.ts";
import { weighSessions } from "./sessions.ts";

/** One load. */
interface MemoryLoad {
  readonly name: string;
  readonly weigh: () => Promise<readonly Weight[]>;
  /** From when on nothing more should be held. */
  readonly since: string;
  /** What is taken for noise, in bytes. */
  readonly noiseBytes: number;
  /** Which moments are told. */
  readonly told: (when: string) => boolean;
}

const loads: readonly MemoryLoad[] = [
  { name: "mirror-100k", weigh: weighMirror, since: "100000 keys", noiseBytes: 3e6, told: () => true },
  {
    name: "sessions-24h",
    weigh: weighSessions,
    since: "hour 1",
    noiseBytes: 1e6,
    told: (when) => ["hour 1", "hour 12", "hour 24"].includes(when),
  },
];

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

async function weigh({ name, weigh: run, since, noiseBytes, told }: MemoryLoad): Promise<boolean> {
  const weights = await run();
  for (const { when, bytes } of weights) if (told(when)) console.log(`${name}  ${when}: ${mb(bytes)}`);
  const [before, full] = weights;
  if (name === "mirror-100k" && before !== undefined && full !== undefined)
    console.log(`${name}  ${Math.round((full.bytes - before.bytes) / 1e5)} bytes per key of 32 + 256 B`);
  const grown = growth(weights, since);
  console.log(`${name}  since ${since}: ${grown < 0 ? "" : "+"}${mb(grown)}`);
  return grown <= noiseBytes;
}

const names = process.argv.slice(2);
const unknown = names.find((name) => !loads.some((load) => load.name === name));
if (unknown !== undefined) {
  console.error(`No load is called "${unknown}"; there are ${loads.map(({ name }) => name).join(" and ")}`);
  process.exit(1);
}
for (const load of loads.filter(({ name }) => names.length === 0 || names.includes(name)))
  if (!(await weigh(load))) process.exitCode = 1;
