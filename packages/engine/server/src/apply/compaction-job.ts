import { type Clock, exponentialBounds, Histogram, type Scheduler, type Timer } from "@conclave/base";
import type { MvccStore } from "@conclave/mvcc";

/** How a compaction goes about its work. */
export interface CompactionJobOptions {
  /** Measures how long it takes. */
  readonly clock: Pick<Clock, "monotonicMs" | "wallMs">;
  readonly scheduler: Scheduler;
  /** Revisions looked at in one step. */
  readonly batchLimit: number;
  /** Pause between two steps, so that clients are never kept waiting. */
  readonly sleepMs: number;
  /** Told when a step failed. */
  readonly onFailure: (error: unknown) => void;
}

/** Deletes compacted revisions in the background, a batch at a time. */
export class CompactionJob {
  /** How long steps held everybody up, and how long compactions took all in all, in milliseconds, as etcd counts them. */
  readonly times: { readonly steps: Histogram; readonly totals: Histogram } = {
    steps: new Histogram(exponentialBounds({ start: 1, factor: 2, count: 13 })),
    totals: new Histogram(exponentialBounds({ start: 100, factor: 2, count: 14 })),
  };
  /** When the last one ended, as wall clock; 0 before the first. */
  lastMs = 0;
  readonly #store: MvccStore;
  readonly #options: CompactionJobOptions;
  #timer: Timer | undefined;
  #stopped = false;
  /** When the compaction under way began; undefined between two of them. */
  #startMs: number | undefined;
  #waiters: (() => void)[] = [];

  constructor(store: MvccStore, options: CompactionJobOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Begins, or goes on with, what has been scheduled in the store. */
  start(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = this.#options.scheduler.after(this.#options.sleepMs, () => this.#step(), { background: true });
  }

  /** Resolves when nothing scheduled is left to delete, or when the job is stopped. */
  finished(): Promise<void> {
    if (this.#timer === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Leaves off until {@link CompactionJob.start}. */
  pause(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Ends the job; the store resumes it in the next life. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#finish();
  }

  #step(): void {
    this.#timer = undefined;
    try {
      if (this.#measuredStep()) this.start();
      else this.#finish();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  #measuredStep(): boolean {
    const { clock, batchLimit } = this.#options;
    const beginMs = clock.monotonicMs();
    this.#startMs ??= beginMs;
    const goesOn = this.#store.compactStep(batchLimit);
    const endMs = clock.monotonicMs();
    this.times.steps.observe(endMs - beginMs);
    if (!goesOn) {
      this.times.totals.observe(endMs - this.#startMs);
      this.#startMs = undefined;
      this.lastMs = clock.wallMs();
    }
    return goesOn;
  }

  #finish(): void {
    this.#timer = undefined;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
