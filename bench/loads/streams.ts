import { holdGenerator, runGenerator } from "../generator.ts";
import type { Load } from "../load.ts";
import { cpuUs, residentBytes, type Subject } from "../subject.ts";

const settleMs = 5_000;
const restMs = 10_000;

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A hundred thousand watchers and as many leases, and then nothing. */
async function holdMany({ url }: Subject): Promise<void> {
  await holdGenerator("at-rest", url);
  await wait(settleMs);
}

/** The loads of streams. */
export const streamLoads: readonly Load[] = [
  {
    name: "watch-1000",
    unit: "events/s",
    better: "higher",
    target: { of: "ratio", value: 2 },
    measure: ({ url }) => runGenerator("watch", url),
  },
  { name: "lease-10000", unit: "keep-alives/s", better: "higher", measure: ({ url }) => runGenerator("lease", url) },
  {
    name: "lease-100-clients",
    unit: "keep-alives/s",
    better: "higher",
    target: { of: "ratio", value: 2 },
    measure: ({ url }) => runGenerator("lease", url, "clients"),
  },
  {
    name: "rest-100k-memory",
    unit: "MB",
    better: "lower",
    target: { of: "ratio", value: 1 },
    prepare: holdMany,
    measure: async ({ process: { pid } }) => ({ value: residentBytes(pid) / 1e6 }),
  },
  {
    name: "rest-100k-cpu",
    unit: "ms/s",
    better: "lower",
    target: { of: "ratio", value: 1 },
    prepare: holdMany,
    measure: async ({ process: { pid } }) => {
      const before = cpuUs(pid);
      await wait(restMs);
      return { value: (cpuUs(pid) - before) / restMs };
    },
  },
];
