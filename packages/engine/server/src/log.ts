/** Details of a log line, by name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a member writes its log lines. */
export interface Log {
  /** For developers. */
  debug(message: string, fields?: LogFields): void;
  /** What happened as it should. */
  info(message: string, fields?: LogFields): void;
  /** What an operator should look at some time. */
  warn(message: string, fields?: LogFields): void;
  /** What an operator should look at now. */
  error(message: string, fields?: LogFields): void;
}

function ignore(): void {}

/** A log that keeps nothing, for tests and embedders that want silence. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
