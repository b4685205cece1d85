import { ConclaveError } from "@conclave/client";
import { Cron as Pattern } from "croner";

/** When something is due; all times in milliseconds since 1970. */
export interface Schedule {
  /** The first tick after a time; undefined if there is none. */
  next(afterMs: number): number | undefined;
  /** The newest ticks in `(sinceMs, nowMs]`, at most so many, oldest first. */
  due(window: { readonly sinceMs: number; readonly nowMs: number }, max: number): readonly number[];
}

/**
 * Reads a cron expression.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function parseSchedule(expression: string, timezone: string): Schedule {
  const pattern = parsePattern(expression, timezone);
  return {
    next: (afterMs) => pattern.nextRun(new Date(afterMs))?.getTime(),
    due({ sinceMs, nowMs }, max) {
      const ticks: number[] = [];
      // A run that is due at the very millisecond counts.
      for (let beforeMs = nowMs + 1; ticks.length < max; ) {
        const tickMs = pattern.previousRuns(1, new Date(beforeMs))[0]?.getTime();
        if (tickMs === undefined || tickMs <= sinceMs) break;
        ticks.unshift(tickMs);
        beforeMs = tickMs;
      }
      return ticks;
    },
  };
}

function parsePattern(expression: string, timezone: string): Pattern {
  try {
    const pattern = new Pattern(expression, { paused: true, timezone });
    // Only now it looks at the time zone.
    pattern.nextRun(new Date(0));
    return pattern;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid schedule "${expression}" (${timezone}): ${reason}`, { cause });
  }
}
