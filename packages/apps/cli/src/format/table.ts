/** @module `-w table`: a drawn table, headings in the middle, cells to the right. */
import Table from "cli-table3";
import { formatDuration } from "../go/duration.ts";
import type { Formatter } from "./answers.ts";
import { hashKvRows, memberRows, snapshotRows, statusRows } from "./rows.ts";
import { unsupported } from "./unsupported.ts";

/** Cells with spaces are broken into lines of about this many characters, as etcdctl does. */
const cellCharsMax = 30;

const border = {
  top: "-",
  "top-mid": "+",
  "top-left": "+",
  "top-right": "+",
  bottom: "-",
  "bottom-mid": "+",
  "bottom-left": "+",
  "bottom-right": "+",
  left: "|",
  "left-mid": "+",
  right: "|",
  "right-mid": "+",
  mid: "-",
  "mid-mid": "+",
  middle: "|",
};
const statusHeadings = [
  "ENDPOINT",
  "ID",
  "VERSION",
  "DB SIZE",
  "IS LEADER",
  "IS LEARNER",
  "RAFT TERM",
  "RAFT INDEX",
  "RAFT APPLIED INDEX",
  "ERRORS",
];
const memberHeadings = ["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"];

/** Makes the formatter of `-w table`. */
export function createTableFormatter(): Formatter {
  const none = unsupported("table");
  return {
    put: none,
    get: none,
    del: none,
    txn: none,
    watch: none,
    leaseGrant: none,
    leaseRevoke: none,
    leaseKeepAlive: none,
    leaseTimeToLive: none,
    leaseList: none,
    memberList: ({ members }) => drawTable(memberHeadings, memberRows(members)),
    memberAdd: none,
    memberRemove: none,
    memberUpdate: none,
    memberPromote: none,
    alarm: none,
    endpointStatus: (list) => drawTable(statusHeadings, statusRows(list)),
    endpointHealth: (list) =>
      drawTable(
        ["ENDPOINT", "HEALTH", "TOOK", "ERROR"],
        list.map(({ endpoint, tookMs, error }) => [
          endpoint,
          String(error === undefined),
          formatDuration(tookMs),
          error ?? "",
        ]),
      ),
    endpointHashKv: (list) => drawTable(["ENDPOINT", "HASH"], hashKvRows(list)),
    snapshotStatus: (status) => drawTable(["HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE"], snapshotRows(status)),
    downgrade: none,
    authChange: none,
    authStatus: none,
    userGet: none,
    userList: none,
    roleGet: none,
    roleList: none,
  };
}

/** Draws a table. */
export function drawTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const padding = 2;
  const table = new Table({
    chars: border,
    style: { head: [], border: [] },
    colAligns: headings.map(() => "right" as const),
    colWidths: headings.map((_, column) => padding + columnChars([headings, ...rows].map((row) => row[column] ?? ""))),
  });
  table.push(headings.map((content) => ({ content, hAlign: "center" as const })));
  table.push(...rows.map((row) => row.map(wrap)));
  return `${withoutRowRules(table.toString())}\n`;
}

/** The library draws a line between all rows; only the ones around the table and below the headings stay. */
function withoutRowRules(drawn: string): string {
  const [rule = "", headings = "", ...rest] = drawn.split("\n");
  return [rule, headings, rule, ...rest.filter((line) => line !== rule), rule].join("\n");
}

/** As wide as the longest line, and for a cell that is broken at least as wide as the limit. */
function columnChars(cells: readonly string[]): number {
  const widths = cells.flatMap((cell) => [
    Math.min(cell.length, cellCharsMax),
    ...wrap(cell)
      .split("\n")
      .map((line) => line.length),
  ]);
  return Math.max(...widths);
}

/** Breaks a long cell at spaces. */
function wrap(cell: string): string {
  if (cell.length <= cellCharsMax) return cell;
  const lines: string[] = [];
  for (const word of cell.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= cellCharsMax) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join("\n");
}
