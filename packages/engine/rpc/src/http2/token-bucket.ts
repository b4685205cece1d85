/** How often something may happen: so many times at once, and so many a second later on. */
export interface Allowance {
  /** Times at once. */
  readonly burst: number;
  /** Times a second after that. */
  readonly perSecond: number;
}

/** Holds what a client does to an {@link Allowance}. */
export class TokenBucket {
  readonly #allowance: Allowance;
  #tokens: number;
  #lastMs: number;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
    this.#tokens = allowance.burst;
    this.#lastMs = performance.now();
  }

  /** Takes one. The clock is looked at only when there is none left. @returns whether there was one */
  take(): boolean {
    if (this.#tokens < 1) this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #refill(): void {
    const nowMs = performance.now();
    const { burst, perSecond } = this.#allowance;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#lastMs) / 1000) * perSecond);
    this.#lastMs = nowMs;
  }
}
