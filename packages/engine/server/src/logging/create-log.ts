/** @module The log of the command `conclave`: lines as tools made for etcd read them, to as many outputs as are named. */
import { pino } from "pino";
import { type LoggingOptions, parseLogRotation } from "../config/logging.ts";
import type { Log, LogFields } from "../log.ts";
import { MemberError } from "../member-error.ts";
import { consoleLine, journalLine } from "./lines.ts";
import { openRotatingFile } from "./rotating-file.ts";

/** How log lines are written. */
export type CreateLogOptions = Pick<
  LoggingOptions,
  "logLevel" | "logOutputs" | "logFormat" | "enableLogRotation" | "logRotationConfigJson"
>;

interface Output {
  write(line: string): void;
}

/**
 * Opens a log whose lines have the fields `level`, `ts`, `caller` and `msg`.
 *
 * @param environment - tells whether the standard error output leads to systemd's journal
 * @returns makes the log of a part of the program
 * @throws MemberError `CONFIG` if an output cannot be opened
 */
export function createLog(
  options: CreateLogOptions,
  environment: Readonly<Record<string, string | undefined>>,
): (caller: string) => Log {
  const format = options.logFormat === "json" ? (line: string) => line : consoleLine;
  const streams = options.logOutputs.map((name) => {
    const output = openOutput(name, options, environment);
    const written = name === "systemd/journal" ? (line: string) => journalLine(line, format(line)) : format;
    return { level: "debug" as const, stream: { write: (line: string) => output.write(written(line)) } };
  });
  const logger = pino(
    {
      level: options.logLevel === "panic" ? "fatal" : options.logLevel,
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

function openOutput(
  name: string,
  { enableLogRotation, logRotationConfigJson }: CreateLogOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Output {
  if (name === "stdout") return pino.destination({ fd: 1, sync: true });
  if (name === "default" || name === "stderr") return pino.destination({ fd: 2, sync: true });
  try {
    if (name === "systemd/journal") return openJournal(environment);
    const rotation = enableLogRotation ? parseLogRotation(logRotationConfigJson) : undefined;
    return rotation === undefined
      ? pino.destination({ dest: name, sync: true, append: true, mkdir: false })
      : openRotatingFile(name, rotation);
  } catch (error) {
    throw new MemberError("CONFIG", `Cannot write the log to '${name}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Node cannot open the journal's socket, but what systemd starts has the journal as its standard error output. */
function openJournal({ JOURNAL_STREAM: stream = "" }: Readonly<Record<string, string | undefined>>): Output {
  if (stream === "") throw new Error("systemd has not connected the standard error output to its journal");
  return pino.destination({ fd: 2, sync: true });
}
