import { pino } from "pino";
import type { Log, LogFields } from "./log.ts";
import { MemberError } from "./member-error.ts";

/** How log lines are written. */
export interface JsonLogOptions {
  /** The least level that is written. */
  readonly level: "debug" | "info" | "warn" | "error" | "panic" | "fatal";
  /** `default` and `stderr` are the standard error output, `stdout` the standard output, the rest names of files. */
  readonly outputs: readonly string[];
}

function destination(output: string): pino.DestinationStream {
  if (output === "stdout") return pino.destination({ fd: 1, sync: true });
  if (output === "default" || output === "stderr") return pino.destination({ fd: 2, sync: true });
  try {
    return pino.destination({ dest: output, sync: true, append: true, mkdir: false });
  } catch (error) {
    throw new MemberError("CONFIG", `Cannot write the log to '${output}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * A log of JSON lines with the fields `level`, `ts`, `caller` and `msg`, which tools made for etcd read.
 *
 * @throws MemberError `CONFIG` if an output cannot be opened
 */
export function createJsonLog({ level, outputs }: JsonLogOptions): (caller: string) => Log {
  const streams = outputs.map((output) => ({ level: "debug" as const, stream: destination(output) }));
  const logger = pino(
    {
      level: level === "panic" ? "fatal" : level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.multistream(streams),
  );
  return (caller) => {
    const child = logger.child({ caller });
    const at =
      (name: "debug" | "info" | "warn" | "error") =>
      (message: string, fields?: LogFields): void =>
        child[name](fields ?? {}, message);
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  };
}
