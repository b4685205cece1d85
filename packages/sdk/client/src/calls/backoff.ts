import type { Random } from "@conclave/base";

/** The bounds of a backoff. */
export interface Backoff {
  /** The longest first delay, in milliseconds. */
  readonly firstMs: number;
  /** The longest delay ever, in milliseconds. */
  readonly maxMs: number;
}

/**
 * A delay with full jitter: uniform between 0 and a ceiling that doubles with every failure.
 *
 * @param failures - how many tries have failed, from 1
 */
export function fullJitterMs(random: Random, backoff: Backoff, failures: number): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(failures - 1, 30));
  return random.fraction() * ceilingMs;
}
