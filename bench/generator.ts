/** @module Load generators of our own: each a process of its own, so that it takes nothing from who measures. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Measurement } from "./load.ts";

const run = promisify(execFile);

/**
 * Runs a generator and reads what it prints, a measurement as JSON.
 *
 * @param name - its file in `generators/`
 * @param url - the server
 */
export async function runGenerator(name: string, url: string): Promise<Measurement> {
  const file = join(import.meta.dirname, "generators", `${name}.ts`);
  const { stdout } = await run(process.execPath, ["--import", "tsx", "--conditions=@conclave/source", file, url]);
  return JSON.parse(stdout) as Measurement;
}
