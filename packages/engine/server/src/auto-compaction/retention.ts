import { MemberError } from "../member-error.ts";

/** What auto-compaction keeps of the history. */
export type Retention =
  | {
      /** The history of a span of time. */
      readonly mode: "periodic";
      /** How long it is, in ms. */
      readonly periodMs: number;
    }
  | {
      /** A number of revisions. */
      readonly mode: "revision";
      /** How many. */
      readonly revisions: number;
    };

const hourMs = 3_600_000;

/**
 * Reads what `--auto-compaction-mode` and `--auto-compaction-retention` say. A bare number counts hours in the mode
 * `periodic` and revisions in the mode `revision`.
 *
 * @param parseDuration - reads a duration such as `30m` into ms; undefined if the text is none
 * @returns undefined if nothing is compacted by itself, which 0 stands for
 * @throws MemberError `CONFIG` for what is neither a number nor, in the mode `periodic`, a duration
 */
export function parseRetention(
  mode: "periodic" | "revision",
  text: string,
  parseDuration: (text: string) => number | undefined,
): Retention | undefined {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (count === 0) return undefined;
  if (mode === "revision") {
    if (count !== undefined) return { mode, revisions: count };
    throw invalid(text, "must be a number of revisions in the mode revision");
  }
  const periodMs = count === undefined ? parseDuration(text) : count * hourMs;
  if (periodMs === undefined || !Number.isFinite(periodMs) || periodMs < 0)
    throw invalid(text, "must be a duration such as 30m, or a number of hours");
  return periodMs === 0 ? undefined : { mode, periodMs };
}

function invalid(text: string, reason: string): MemberError {
  return new MemberError("CONFIG", `Invalid value ${JSON.stringify(text)} for --auto-compaction-retention: ${reason}`);
}
