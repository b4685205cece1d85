/** @module A lease whose holder counts with the time to live that was asked for. */
import type { Clock } from "@conclave/base";

/** The lease. */
export class NaiveLease {
  readonly #clock: Clock;
  readonly #ttlSec: number;
  #renewedAtMs: number;

  constructor(clock: Clock, ttlSec: number) {
    this.#clock = clock;
    this.#ttlSec = ttlSec;
    this.#renewedAtMs = clock.monotonicMs();
  }

  /** A keep-alive was answered. */
  onAnswer(): void {
    this.#renewedAtMs = this.#clock.monotonicMs();
  }

  get held(): boolean {
    return this.#clock.monotonicMs() < this.#renewedAtMs + this.#ttlSec * 1_000;
  }
}
