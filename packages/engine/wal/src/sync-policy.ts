/**
 * @module Decides where a call to the disk runs. A call on the main thread is the fastest (0.03 to 0.08 ms are
 * saved) and the only one that waits for no other job of the thread pool, but while it lasts nothing else happens.
 * So calls start in the pool and move to the main thread only while they are measured to be fast.
 */
import type { Clock } from "@conclave/base";

/** Calls that are looked at together. */
const windowCalls = 16;
/** Calls move to the main thread when all of the window were faster than this. */
const fastMs = 1;
/** One call on the main thread that takes longer sends all back to the pool. */
const tooSlowMs = 3;
/**
 * In the pool a busy main thread adds its own delay to what is measured. So every `trialCalls` calls one is tried on
 * the main thread, provided that none of the window took longer than `trialMs`: that much a trial may cost.
 */
const trialCalls = 64;
const trialMs = 5;

/** Runs calls on the main thread or in the thread pool, by how long the recent ones took. */
export class SyncPolicy {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #recentMs: number[] = [];
  #direct = false;
  #pooledCalls = 0;

  /** @param clock - measures the calls */
  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Whether the next call runs on the main thread. */
  get direct(): boolean {
    return this.#direct || (this.#pooledCalls >= trialCalls && this.#slowestMs() < trialMs);
  }

  /**
   * Runs a call.
   *
   * @param direct - makes it on the main thread
   * @param pooled - makes it in the thread pool
   * @returns how long it took, in ms
   */
  async run(direct: () => void, pooled: () => Promise<unknown>): Promise<number> {
    const isDirect = this.direct;
    const start = this.#clock.monotonicMs();
    if (isDirect) direct();
    else await pooled();
    const durationMs = this.#clock.monotonicMs() - start;
    if (isDirect) this.#noteDirect(durationMs);
    else this.#notePooled(durationMs);
    return durationMs;
  }

  #noteDirect(durationMs: number): void {
    this.#pooledCalls = 0;
    this.#direct = this.#direct ? durationMs <= tooSlowMs : durationMs < fastMs;
    if (!this.#direct) this.#recentMs.length = 0;
  }

  #notePooled(durationMs: number): void {
    this.#pooledCalls++;
    this.#recentMs.push(durationMs);
    if (this.#recentMs.length > windowCalls) this.#recentMs.shift();
    this.#direct = this.#slowestMs() < fastMs;
  }

  /** The slowest call of a full window. */
  #slowestMs(): number {
    return this.#recentMs.length < windowCalls ? Number.POSITIVE_INFINITY : Math.max(...this.#recentMs);
  }
}
