/** @module When auto-compaction compacts, and up to which revision: etcd's two modes, without clock and timers. */
import type { Retention } from "./retention.ts";

/** The state of the store at a moment. */
export interface Moment {
  /** Monotonic time. */
  readonly nowMs: number;
  /** The newest revision. */
  readonly revision: number;
}

/** Decides on compactions. Asked once every {@link CompactionPolicy.intervalMs}. */
export interface CompactionPolicy {
  /** Time between two questions. */
  readonly intervalMs: number;
  /**
   * Takes note of a moment.
   *
   * @param paused - only take note, as somebody else is to compact
   * @returns the revision to compact at; undefined if there is nothing to compact
   */
  next(moment: Moment, paused: boolean): number | undefined;
  /** A revision that it returned was compacted, by whomever. */
  onCompacted(revision: number, nowMs: number): void;
}

/** The policy for a retention, from a moment on. */
export function createCompactionPolicy(retention: Retention, start: Moment): CompactionPolicy {
  return retention.mode === "periodic"
    ? new PeriodicPolicy(retention.periodMs, start)
    : new RevisionPolicy(retention.revisions);
}

const hourMs = 3_600_000;
const looksPerInterval = 10;

/**
 * Keeps the history of a period. It notes the revision ten times in a period, or ten times an hour if that is longer,
 * and compacts at the one it noted a period ago; for the first time after one period, then once an interval.
 *
 * ```
 *  period 3 h:    a look every 6 min; compactions after 3 h, 4 h, 5 h ...
 *  period 10 min: a look every minute; compactions after 10, 20, 30 min ...
 * ```
 */
class PeriodicPolicy implements CompactionPolicy {
  readonly intervalMs: number;
  readonly #compactionIntervalMs: number;
  readonly #looksKept: number;
  readonly #revisions: number[];
  #waitMs: number;
  #lastSuccessMs: number;
  #lastRevision = 0;

  constructor(periodMs: number, { nowMs, revision }: Moment) {
    this.#compactionIntervalMs = Math.min(periodMs, hourMs);
    this.intervalMs = Math.max(1, this.#compactionIntervalMs / looksPerInterval);
    this.#looksKept = Math.floor(periodMs / this.intervalMs) + 1;
    this.#revisions = [revision];
    this.#waitMs = periodMs;
    this.#lastSuccessMs = nowMs;
  }

  next({ nowMs, revision }: Moment, paused: boolean): number | undefined {
    const [oldest] = this.#revisions;
    this.#note(revision);
    if (paused || nowMs - this.#lastSuccessMs < this.#waitMs || oldest === this.#lastRevision) return undefined;
    this.#waitMs = this.#compactionIntervalMs;
    return oldest;
  }

  onCompacted(revision: number, nowMs: number): void {
    this.#lastRevision = revision;
    this.#lastSuccessMs = nowMs;
  }

  #note(revision: number): void {
    this.#revisions.push(revision);
    if (this.#revisions.length > this.#looksKept) this.#revisions.shift();
  }
}

const revisionIntervalMs = 5 * 60_000;

/** Keeps a number of revisions; looks every five minutes. */
class RevisionPolicy implements CompactionPolicy {
  readonly intervalMs = revisionIntervalMs;
  readonly #kept: number;
  #lastRevision = 0;

  constructor(kept: number) {
    this.#kept = kept;
  }

  next({ revision }: Moment, paused: boolean): number | undefined {
    const target = revision - this.#kept;
    return paused || target <= 0 || target === this.#lastRevision ? undefined : target;
  }

  onCompacted(revision: number): void {
    this.#lastRevision = revision;
  }
}
