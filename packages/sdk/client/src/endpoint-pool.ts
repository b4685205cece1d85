import { type Clock, invariant, type Random } from "@conclave/base";
import { type Backoff, fullJitterMs } from "./backoff.ts";

interface EndpointHealth {
  readonly endpoint: string;
  failures: number;
  avoidUntilMs: number;
}

/** How long an endpoint that fails is passed over. */
const penalty: Backoff = { firstMs: 500, maxMs: 15_000 };

/**
 * The endpoints in the order they should be asked. A client stays with one endpoint while it answers, so that
 * its reads do not jump between members; an endpoint that fails is passed over for a time that doubles.
 */
export class EndpointPool {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #endpoints: readonly EndpointHealth[];
  #current: number;

  /**
   * @param endpoints - at least one; which one is asked first is drawn, to spread clients over members
   * @param ports - the clock and the randomness
   */
  constructor(endpoints: readonly string[], ports: { readonly clock: Clock; readonly random: Random }) {
    invariant(endpoints.length > 0, "a pool has an endpoint");
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#endpoints = endpoints.map((endpoint) => ({ endpoint, failures: 0, avoidUntilMs: 0 }));
    this.#current = ports.random.below(endpoints.length);
  }

  /** How many endpoints there are. */
  get size(): number {
    return this.#endpoints.length;
  }

  /** Every endpoint, as given. */
  get all(): readonly string[] {
    return this.#endpoints.map(({ endpoint }) => endpoint);
  }

  /** The endpoint to ask now: the current one, or the next that is not passed over, or the one that is for the shortest. */
  pick(): string {
    const nowMs = this.#clock.monotonicMs();
    const inTurn = [...this.#endpoints.slice(this.#current), ...this.#endpoints.slice(0, this.#current)];
    const best = inTurn.reduce((left, right) => (waitMs(right, nowMs) < waitMs(left, nowMs) ? right : left));
    this.#current = this.#endpoints.indexOf(best);
    return best.endpoint;
  }

  /** The endpoint has answered, whatever it said. */
  succeeded(endpoint: string): void {
    const health = this.#find(endpoint);
    if (health === undefined) return;
    health.failures = 0;
    health.avoidUntilMs = 0;
  }

  /** The endpoint could not be reached, went silent, or has no leader. */
  failed(endpoint: string): void {
    const health = this.#find(endpoint);
    if (health === undefined) return;
    health.failures++;
    // Half the time is sure, so that the next pick is another endpoint if there is one.
    const { firstMs, maxMs } = penalty;
    const sureMs = Math.min(maxMs, firstMs * 2 ** Math.min(health.failures - 1, 30)) / 2;
    health.avoidUntilMs = this.#clock.monotonicMs() + sureMs + fullJitterMs(this.#random, penalty, health.failures) / 2;
  }

  #find(endpoint: string): EndpointHealth | undefined {
    return this.#endpoints.find((health) => health.endpoint === endpoint);
  }
}

function waitMs(health: EndpointHealth, nowMs: number): number {
  return Math.max(0, health.avoidUntilMs - nowMs);
}
