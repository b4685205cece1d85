/** @module An example as its README says to run it, and what it leaves behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const examples = join(import.meta.dirname, "..", "..", "examples");
const setup = "node ../../tools/setup.mjs && ";

/** How an example went. */
export interface ExampleRun {
  readonly status: number | null;
  /** What it wrote to standard output and standard error. */
  readonly output: string;
  /** What is left of its temporary files. */
  readonly left: readonly string[];
}

/** Runs what `npm start` of an example runs once the repository is set up, as it is in a test. */
export async function runExample(name: string): Promise<ExampleRun> {
  const example = join(examples, name);
  const { scripts } = JSON.parse(await readFile(join(example, "package.json"), "utf8")) as {
    readonly scripts: { readonly start: string };
  };
  if (!scripts.start.startsWith(setup)) throw new Error(`${name} should set the repository up when it starts`);
  const directory = await mkdtemp(join(tmpdir(), "conclave-example-test-"));
  try {
    const env = { ...process.env, TMPDIR: directory };
    const command = scripts.start.slice(setup.length);
    const child = spawn(command, { cwd: example, env, shell: true, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
    const [status] = (await once(child, "close")) as [number | null];
    // tsx keeps its cache of compiled sources in the temporary directory.
    const left = (await readdir(directory)).filter((entry) => !entry.startsWith("tsx"));
    return { status, output, left };
  } finally {
    await rm(directory, { recursive: true });
  }
}
