import type { Clock, Scheduler, Timer } from "@conclave/base";

/** A job that runs again and again. */
export interface PeriodicOptions {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** Milliseconds between runs. */
  readonly intervalMs: number;
  /**
   * The job, run at the end of a turn of the event loop, after waiting input was handled. A job is never run twice
   * for lost time: after a stall one run follows, and `stalledMs` says by how much it is late.
   */
  readonly run: (stalledMs: number) => void;
}

/**
 * Starts a job that runs periodically until it is cancelled.
 *
 * @returns a handle that stops it
 */
export function startPeriodic({ clock, scheduler, run, intervalMs }: PeriodicOptions): Timer {
  let cancelled = false;
  let timer: Timer | undefined;

  function schedule(): void {
    const dueMs = clock.monotonicMs() + intervalMs;
    timer = scheduler.after(intervalMs, () => {
      scheduler.atTurnEnd(() => {
        if (cancelled) return;
        run(Math.max(0, clock.monotonicMs() - dueMs));
        schedule();
      });
    });
  }

  schedule();
  return {
    cancel(): void {
      cancelled = true;
      timer?.cancel();
    },
  };
}
