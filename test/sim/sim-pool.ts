/** @module Runs seeds in as many processes as there are processors. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { SimulationReport } from "./simulation.ts";

/** What to run. */
export interface PoolOptions {
  /** The seeds, in the order in which they are begun. */
  readonly seeds: readonly number[];
  /** How long things go wrong in each, in seconds of the simulation. */
  readonly seconds: number;
  /** The fault that is put into the sources; default: none. */
  readonly mutant?: string | undefined;
  /** How many processes; default: one for each processor. */
  readonly processes?: number;
  /** Takes each report. @returns whether to go on */
  readonly onReport: (report: SimulationReport) => boolean;
}

const worker = join(import.meta.dirname, "sim-worker.ts");
// A run makes much that is soon garbage: room for it saves a tenth of the time. What was built saves another.
const nodeFlags = ["--max-semi-space-size=64", "--import", "tsx"];
/** A fault is put into the sources, so they must be what runs. */
const mutantFlags = ["--import", join(import.meta.dirname, "mutants", "register.mjs"), "--conditions=@conclave/source"];

/**
 * Runs the seeds.
 *
 * @throws Error if a process ends by itself
 */
export async function runSeeds(options: PoolOptions): Promise<void> {
  const { seeds, processes = availableParallelism() } = options;
  const waiting = [...seeds];
  let isOver = false;
  const queue: Queue = {
    take: () => (isOver ? undefined : waiting.shift()),
    report(report) {
      isOver ||= !options.onReport(report);
    },
  };
  await Promise.all(Array.from({ length: Math.min(processes, seeds.length) }, () => work(options, queue)));
}

interface Queue {
  /** The next seed; undefined if there is none. */
  take(): number | undefined;
  report(report: SimulationReport): void;
}

function work({ seconds, mutant }: PoolOptions, queue: Queue): Promise<void> {
  const child = startWorker(mutant);
  return new Promise((resolve, reject) => {
    let seed = queue.take();
    const next = () => {
      if (seed !== undefined) child.send({ seed, seconds, mutant });
      else child.disconnect();
    };
    child.on("message", (report: SimulationReport) => {
      queue.report(report);
      seed = queue.take();
      next();
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      if (seed === undefined) resolve();
      else reject(new Error(`The process that ran seed ${seed} ended with code ${code}`));
    });
    next();
  });
}

function startWorker(mutant: string | undefined): ChildProcess {
  if (mutant === undefined) return fork(worker, { execArgv: nodeFlags });
  return fork(worker, { execArgv: [...mutantFlags, ...nodeFlags], env: { ...process.env, CONCLAVE_MUTANT: mutant } });
}
