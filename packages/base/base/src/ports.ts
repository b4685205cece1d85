/**
 * @module The ports that more than one layer is given. Nothing below the composition root reads a clock, starts
 * a timer or draws a random number by itself, so that a whole cluster runs on virtual time from one seed.
 */

/** Time. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back, and counts while the machine sleeps if it can. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the wall clock, which may jump. Only for ids and for people. */
  wallMs(): number;
}

/** A timer that was started. */
export interface Timer {
  /** Stops the timer; nothing happens if it has fired or was stopped. */
  cancel(): void;
}

/** Deferred work. */
export interface Scheduler {
  /**
   * Runs a task once after a delay. The timer keeps the process alive unless `background` is set.
   *
   * @param delayMs - at least 0; fractions are allowed
   */
  after(delayMs: number, task: () => void, options?: { readonly background?: boolean }): Timer;
  /**
   * Runs a task when the current turn of the event loop is over: after everything that was readable from the
   * sockets has been handled. This is what "one batch per turn" means.
   */
  atTurnEnd(task: () => void): void;
}

/** Randomness. */
export interface Random {
  /** A uniformly chosen integer in `[0, limit)`; `limit` is a safe integer ≥ 1. */
  below(limit: number): number;
  /** A uniformly chosen number in `[0, 1)`. */
  fraction(): number;
  /** So many random bytes. */
  bytes(length: number): Uint8Array;
}
