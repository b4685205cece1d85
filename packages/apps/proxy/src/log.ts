/** @module The log of the proxies: JSON lines on the standard error output, in the form of the server's. */

/** Details of a log line, by name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a proxy tells what happens to it. Keys, values and tokens never get there. */
export interface ProxyLog {
  /** What happened as it should. */
  info(message: string, fields?: LogFields): void;
  /** What an operator should look at some time. */
  warn(message: string, fields?: LogFields): void;
  /** What an operator should look at now. */
  error(message: string, fields?: LogFields): void;
}

function ignore(): void {}

/** A log that keeps nothing. */
export const silentLog: ProxyLog = { info: ignore, warn: ignore, error: ignore };

/**
 * Makes a log that writes to the standard error output.
 *
 * @param caller - the part of the program that speaks
 */
export function createStderrLog(caller: string): ProxyLog {
  const at =
    (level: string) =>
    (msg: string, fields: LogFields = {}): void => {
      process.stderr.write(`${JSON.stringify({ level, ts: new Date().toISOString(), caller, msg, ...fields })}\n`);
    };
  return { info: at("info"), warn: at("warn"), error: at("error") };
}
