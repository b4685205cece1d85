import { type Clock, invariant, type Random } from "@conclave/base";
import { type Backoff, fullJitterMs } from "../calls/backoff.ts";
import type { ClientStatus } from "../observe/client-status.ts";

interface EndpointHealth {
  readonly endpoint: string;
  failures: number;
  avoidUntilMs: number;
}

/** What happened to the endpoints. */
export type EndpointChange = Extract<
  ClientStatus,
  { readonly type: "endpointUp" | "endpointDown" | "endpointsChanged" }
>;

function untried(endpoint: string): EndpointHealth {
  return { endpoint, failures: 0, avoidUntilMs: 0 };
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
  readonly #onChange: (change: EndpointChange) => void;
  #endpoints: readonly EndpointHealth[];
  #current: number;

  /**
   * @param endpoints - at least one; which one is asked first is drawn, to spread clients over members
   * @param ports - the clock and the randomness; who hears of changes, default: nobody
   */
  constructor(
    endpoints: readonly string[],
    ports: { readonly clock: Clock; readonly random: Random; readonly onChange?: (change: EndpointChange) => void },
  ) {
    invariant(endpoints.length > 0, "a pool has an endpoint");
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#onChange = ports.onChange ?? (() => {});
    this.#endpoints = endpoints.map(untried);
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
    const current = this.#endpoints[this.#current];
    if (current?.failures === 0) return current.endpoint;
    const nowMs = this.#clock.monotonicMs();
    const inTurn = [...this.#endpoints.slice(this.#current), ...this.#endpoints.slice(0, this.#current)];
    const best = inTurn.reduce((left, right) => (waitMs(right, nowMs) < waitMs(left, nowMs) ? right : left));
    this.#current = this.#endpoints.indexOf(best);
    return best.endpoint;
  }

  /** The endpoint has answered, whatever it said. */
  succeeded(endpoint: string): void {
    const health = this.#find(endpoint);
    if (health === undefined || health.failures === 0) return;
    health.failures = 0;
    health.avoidUntilMs = 0;
    this.#onChange({ type: "endpointUp", endpoint });
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
    this.#onChange({ type: "endpointDown", endpoint, failures: health.failures });
  }

  /** Takes other endpoints, at least one; what is known of those that stay is kept, and so is the current one. */
  replace(endpoints: readonly string[]): void {
    invariant(endpoints.length > 0, "a pool has an endpoint");
    if (endpoints.length === this.size && endpoints.every((endpoint) => this.#find(endpoint) !== undefined)) return;
    const { endpoint: current = "" } = this.#endpoints[this.#current] ?? {};
    this.#endpoints = endpoints.map((endpoint) => this.#find(endpoint) ?? untried(endpoint));
    const kept = endpoints.indexOf(current);
    this.#current = kept < 0 ? this.#random.below(endpoints.length) : kept;
    this.#onChange({ type: "endpointsChanged", endpoints: this.all });
  }

  #find(endpoint: string): EndpointHealth | undefined {
    return this.#endpoints.find((health) => health.endpoint === endpoint);
  }
}

function waitMs(health: EndpointHealth, nowMs: number): number {
  return Math.max(0, health.avoidUntilMs - nowMs);
}
