/** @module Log lines in other forms than JSON. */

interface LogLine {
  readonly level: string;
  readonly ts: string;
  readonly caller: string;
  readonly msg: string;
}

/** A line for people to read: time, level, part of the program, message, and the rest as JSON, with tabs between. */
export function consoleLine(json: string): string {
  const { level, ts, caller, msg, ...fields } = JSON.parse(json) as LogLine;
  const shown = [ts, level.toUpperCase(), caller, escapeControls(msg)];
  if (Object.keys(fields).length > 0) shown.push(JSON.stringify(fields));
  return `${shown.join("\t")}\n`;
}

/** One line stays one line: what others sent must not look like lines of ours, nor steer a terminal. */
function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => JSON.stringify(control).slice(1, -1));
}

/** The priorities that systemd reads before a line. */
const priorities: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

/** The line as systemd's journal takes it, with the priority of the line in JSON before it. */
export function journalLine(json: string, written: string): string {
  const { level } = JSON.parse(json) as LogLine;
  return `<${priorities[level] ?? 6}>${written}`;
}
