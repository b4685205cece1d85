import type { Readable } from "node:stream";

/** What a command line program is given by its process. */
export interface Io {
  /** The arguments, without the program's name. */
  readonly args: readonly string[];
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard input. */
  readonly stdin: Readable;
  /** Writes to standard output. */
  out(text: string | Uint8Array): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** From now on SIGINT and SIGTERM abort this signal and end nothing by themselves. */
  interruption(): AbortSignal;
}

/** The process this runs in. */
export function processIo(): Io {
  // Whoever read the output has gone, as in `conclavectl watch a | head -1`: nothing is left to do.
  process.stdout.on("error", () => process.exit(1));
  return {
    args: process.argv.slice(2),
    env: process.env,
    stdin: process.stdin,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    interruption() {
      const controller = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => controller.abort());
      return controller.signal;
    },
  };
}
