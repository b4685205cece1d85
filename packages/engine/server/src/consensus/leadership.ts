import type { Clock } from "@conclave/base";

/** What a member knows of who leads, and since when. */
export class Leadership {
  readonly #clock: Clock;
  readonly #listeners = new Set<(leader: bigint) => void>();
  #leader = 0n;
  #electedMs = 0;
  #leaderlessSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#leaderlessSinceMs = clock.monotonicMs();
  }

  /** Id of the leader; 0n if none is known. */
  get leader(): bigint {
    return this.#leader;
  }

  /** When the present leader, or else the last one, became known; monotonic ms. */
  get electedMs(): number {
    return this.#electedMs;
  }

  /** Since when no leader is known; monotonic ms. Undefined while one is. */
  get leaderlessSinceMs(): number | undefined {
    return this.#leaderlessSinceMs;
  }

  /** Takes note of who leads now; tells the listeners if that is news. */
  update(leader: bigint): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    const nowMs = this.#clock.monotonicMs();
    if (leader === 0n) this.#leaderlessSinceMs = nowMs;
    else {
      this.#leaderlessSinceMs = undefined;
      this.#electedMs = nowMs;
    }
    for (const listener of [...this.#listeners]) listener(leader);
  }

  /**
   * Listens for changes; 0n stands for the loss of the leader.
   *
   * @returns ends the listening
   */
  onChange(listener: (leader: bigint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
