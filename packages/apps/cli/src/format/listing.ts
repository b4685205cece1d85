/** @module Lists of Conclave's own: one row per thing, in every format in which a list can be written. */
import type { CommandContext } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { type GoValue, goJson } from "../go/json.ts";
import { quoteText } from "../go/quote.ts";
import { drawTable } from "./table.ts";

/** What stands in a column. */
export type Cell = string | number | bigint | boolean;

/** A list of things. */
export interface Listing {
  /** The columns: what `-w fields` calls them; `simple` and `table` write that in capitals. */
  readonly columns: readonly string[];
  /** A row per thing, a cell per column. */
  readonly rows: readonly (readonly Cell[])[];
  /** All of it as `-w json` has it. */
  readonly json: GoValue;
}

const gap = "  ";

/**
 * Writes a list in the format of `-w`.
 *
 * @throws CommandError for `protobuf`: no message of the protocol is a list of these
 */
export function printListing({ io, flags }: Pick<CommandContext, "io" | "flags">, listing: Listing): void {
  io.out(listingText(flags.writeOut, listing));
}

/** A list in a format. */
export function listingText(format: string, { columns, rows, json }: Listing): string {
  const headings = columns.map((column) => column.toUpperCase());
  const texts = rows.map((row) => row.map(String));
  switch (format) {
    case "simple":
      return aligned([headings, ...texts]);
    case "table":
      return drawTable(headings, texts);
    case "fields":
      return rows.map((row) => fieldsText(columns, row)).join("\n");
    case "json":
      return `${goJson(json)}\n`;
    default:
      throw new CommandError(exitCodes.badFeature, `${format} not supported as output format`);
  }
}

/** Columns as wide as what is in them. */
function aligned(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const padded = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(gap));
  return padded.map((line) => `${line.trimEnd()}\n`).join("");
}

function fieldsText(columns: readonly string[], row: readonly Cell[]): string {
  const value = (cell: Cell | undefined): string => (typeof cell === "string" ? quoteText(cell) : String(cell));
  return columns.map((column, at) => `"${column.replaceAll(" ", "")}" : ${value(row[at])}\n`).join("");
}
