/** @module Load generators of our own: each a process of its own, so that it takes nothing from who measures. */
import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Measurement } from "./load.ts";

const run = promisify(execFile);

function argumentsOf(name: string, args: readonly string[]): string[] {
  const file = join(import.meta.dirname, "generators", `${name}.ts`);
  // What they import is the built code, as users have it: a source that is compiled as it is loaded runs more slowly.
  return ["--import", "tsx", file, ...args];
}

/**
 * Runs a generator and reads what it prints, a measurement as JSON.
 *
 * @param name - its file in `generators/`
 * @param args - the URL of the server, and what else it wants to be told
 */
export async function runGenerator(name: string, ...args: readonly string[]): Promise<Measurement> {
  const { stdout } = await run(process.execPath, argumentsOf(name, args));
  return JSON.parse(stdout) as Measurement;
}

/**
 * Starts a generator that holds something until the server ends, and waits until it says that it has it.
 *
 * @throws Error if it ends before
 */
export async function holdGenerator(name: string, url: string): Promise<void> {
  const child = spawn(process.execPath, argumentsOf(name, [url]), { stdio: ["ignore", "pipe", "ignore"] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("exit", () => reject(new Error(`The generator ${name} has failed`)));
  });
  child.stdout.destroy();
  child.unref();
}
