/** @module The log of a member inside the test's process, kept to be looked at. */
import type { Log, LogFields } from "@conclave/server";

/** A line of the log. */
export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that keeps what it is told. */
export interface RecordedLog {
  /** What a member is given. */
  readonly log: (caller: string) => Log;
  /** What it was told so far. */
  readonly lines: readonly LogLine[];
  /** The same as one text. */
  text(): string;
}

/** Makes one. */
export function recordedLog(): RecordedLog {
  const lines: LogLine[] = [];
  const at =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields });
  const log: Log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  const plain = (_name: string, value: unknown) => (typeof value === "bigint" ? `${value}` : value);
  return { log: () => log, lines, text: () => JSON.stringify(lines, plain) };
}
