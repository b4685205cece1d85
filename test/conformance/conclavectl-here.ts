/** @module `conclavectl` without a process of its own for each command: what takes time is starting one. */
import { Readable } from "node:stream";
import { runConclavectl } from "@conclave/cli";

/** A command line to run. */
export interface CommandLine {
  readonly args: readonly string[];
  /** Its environment; default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is typed into it; default: nothing. */
  readonly stdin?: string;
}

/** How a command ended. */
export interface CommandEnding {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number | string | null;
}

/** These hand the terminal to a program that they start, or hold on until they are interrupted. */
const needsProcess: ReadonlySet<string> = new Set(["lock", "elect", "watch", "make-mirror"]);
/** The program itself runs as often as this, so that it is held to the same. */
const sampleEvery = 6;

/** Whether a command of a script can run in this process; every sixth one, the first included, is the real program. */
export function runsHere(args: readonly string[], at: number): boolean {
  return at % sampleEvery !== 0 && !args.some((arg) => needsProcess.has(arg));
}

/** Runs a command line in this process. */
export async function runHere({ args, env = {}, stdin = "" }: CommandLine): Promise<CommandEnding> {
  const stdout: Buffer[] = [];
  let stderr = "";
  const exit = await runConclavectl({
    args,
    env,
    stdin: Readable.from([Buffer.from(stdin)]),
    out: (text) => void stdout.push(Buffer.from(text)),
    err(text) {
      stderr += text;
    },
    interruption: () => new AbortController().signal,
  });
  return { stdout: Buffer.concat(stdout).toString(), stderr, exit };
}
