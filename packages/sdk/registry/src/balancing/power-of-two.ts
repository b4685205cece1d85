import type { Clock, Random } from "@conclave/base";
import { type Balancer, type Candidate, type FinishedRequest, Memory, shareOf } from "./balancer.ts";

/** How latencies are judged. */
export interface PowerOfTwoOptions {
  /** Tells how old a latency is. */
  readonly clock: Clock;
  /** Draws the two. */
  readonly random: Random;
  /** The time after which what is known counts a third (1/e), in milliseconds. Default: 10 000. */
  readonly decayMs?: number | undefined;
  /**
   * What a failed request counts as at least, in milliseconds, so that one that fails fast does not attract all requests.
   * Default: 5 000.
   */
  readonly failureMs?: number | undefined;
}

interface Load {
  pending: number;
  latencyMs: number;
  atMs: number;
}

/** What is supposed of an instance that has answered nothing of late. */
const supposedMs = 1;

/**
 * Two by chance, and of these the better: the lower product of the latency of late and the requests under way, for its
 * weight. The latency is a moving average that follows a rise at once and a fall slowly ("peak EWMA"). Nearly as good as a
 * look at all of them, at the cost of two, and clients that decide alike do not all run to the same instance.
 *
 * @see Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001)
 */
export class PowerOfTwoChoices implements Balancer {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #decayMs: number;
  readonly #failureMs: number;
  readonly #loads: Memory<Load>;

  /** @param options - how latencies are judged */
  constructor({ clock, random, decayMs = 10_000, failureMs = 5_000 }: PowerOfTwoOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#decayMs = decayMs;
    this.#failureMs = failureMs;
    this.#loads = new Memory(() => ({ pending: 0, latencyMs: supposedMs, atMs: clock.monotonicMs() }));
  }

  pick<Each extends Candidate>(candidates: readonly Each[]): Each | undefined {
    this.#loads.keep(candidates);
    if (candidates.length < 2) return candidates[0];
    const first = this.#random.below(candidates.length);
    const second = (first + 1 + this.#random.below(candidates.length - 1)) % candidates.length;
    const [left, right] = [candidates[first], candidates[second]];
    if (left === undefined || right === undefined) return left ?? right;
    return this.costOf(left) <= this.costOf(right) ? left : right;
  }

  /** What a request to an instance is expected to cost, for comparison with others. */
  costOf(candidate: Candidate): number {
    const load = this.#loads.of(candidate);
    const latencyMs = supposedMs + (load.latencyMs - supposedMs) * this.#relevance(load);
    return (latencyMs * (load.pending + 1)) / shareOf(candidate);
  }

  started(instance: Candidate): void {
    this.#loads.of(instance).pending += 1;
  }

  finished(instance: Candidate, { result, latencyMs }: FinishedRequest): void {
    const load = this.#loads.of(instance);
    load.pending = Math.max(0, load.pending - 1); // It may have been forgotten meanwhile.
    if (result === "canceled") return;
    const sampleMs = result === "ok" ? latencyMs : Math.max(this.#failureMs, latencyMs);
    load.latencyMs = Math.max(sampleMs, sampleMs + (load.latencyMs - sampleMs) * this.#relevance(load));
    load.atMs = this.#clock.monotonicMs();
  }

  /** How much what is known still counts, in (0, 1]. */
  #relevance({ atMs }: Load): number {
    return Math.exp(-Math.max(0, this.#clock.monotonicMs() - atMs) / this.#decayMs);
  }
}
