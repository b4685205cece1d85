import { Readable } from "node:stream";
import { runConclavectl } from "../conclavectl.ts";

/** What a command line wrote and exited with. */
export interface CliRun {
  /** Standard output. */
  readonly out: string;
  /** Standard error. */
  readonly err: string;
  /** The exit code. */
  readonly exit: number;
}

/** How to run a command line. */
export interface CliRunOptions {
  /** Called with all of standard output whenever there is more of it. */
  readonly onOut?: (out: string) => void;
  /** Interrupts the command. */
  readonly signal?: AbortSignal;
}

/** Runs a command line in this process. */
export async function runCli(args: readonly string[], { onOut, signal }: CliRunOptions = {}): Promise<CliRun> {
  const shown = { out: "", err: "" };
  const exit = await runConclavectl({
    args,
    env: {},
    stdin: Readable.from([]),
    out(text) {
      shown.out += typeof text === "string" ? text : Buffer.from(text).toString("latin1");
      onOut?.(shown.out);
    },
    err(text) {
      shown.err += text;
    },
    interruption: () => signal ?? new AbortController().signal,
  });
  return { ...shown, exit };
}
