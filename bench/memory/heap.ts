import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The bytes that are alive: heap, and what it holds outside of itself. */
export async function aliveBytes(): Promise<number> {
  // What is freed in one round may hold what only the next can free; finalizers run in between.
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** What is held at a moment, and what it is. */
export interface Weight {
  /** The moment. */
  readonly when: string;
  /** Bytes that are alive. */
  readonly bytes: number;
}

/** How much more is alive at the end than at a moment before, in bytes. */
export function growth(weights: readonly Weight[], since: string): number {
  const before = weights.find(({ when }) => when === since)?.bytes ?? Number.NaN;
  return (weights.at(-1)?.bytes ?? Number.NaN) - before;
}
