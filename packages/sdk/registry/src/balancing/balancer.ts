/** @module What a policy is that chooses one of several instances. */
import type { Instance } from "../instance.ts";

/** What a policy needs to know of an instance. */
export type Candidate = Pick<Instance, "service" | "id" | "zone" | "weight">;

/** How a request to an instance went: `canceled` ones say nothing about the instance. */
export type RequestResult = "ok" | "failed" | "canceled";

/** A request that is over. */
export interface FinishedRequest {
  /** How it went. */
  readonly result: RequestResult;
  /** How long it took, in milliseconds. */
  readonly latencyMs: number;
}

/**
 * Chooses among instances. It has no clock and no chance but those it was given, and what it remembers is bounded by the
 * number of candidates.
 */
export interface Balancer {
  /**
   * Chooses one.
   *
   * @param candidates - the same array until they change
   * @param key - what the request is about, for policies that send the like to the same instance
   * @returns undefined if there is no candidate
   */
  pick<Each extends Candidate>(candidates: readonly Each[], key?: string): Each | undefined;
  /** A request to an instance begins. */
  started?(instance: Candidate): void;
  /** A request to an instance is over. */
  finished?(instance: Candidate, request: FinishedRequest): void;
}

/** So many that are candidates no longer are remembered however few there are. */
const strangersMin = 8;

/** What a policy remembers of each candidate. */
export class Memory<State> {
  readonly #create: () => State;
  readonly #states = new Map<string, State>();
  #candidates: readonly Candidate[] = [];

  /** @param create - what is remembered at first */
  constructor(create: () => State) {
    this.#create = create;
  }

  /**
   * Forgets those that are candidates no longer, once they are more than the candidates: what is left out for one request,
   * as it was tried already, or for some seconds, as it failed, is not new when it is back.
   */
  keep(candidates: readonly Candidate[]): void {
    if (candidates === this.#candidates) return;
    this.#candidates = candidates;
    if (this.#states.size <= 2 * candidates.length + strangersMin) return;
    const names = new Set(candidates.map(nameOf));
    for (const name of this.#states.keys()) if (!names.has(name)) this.#states.delete(name);
  }

  /** What is remembered of one. */
  of(candidate: Candidate): State {
    const name = nameOf(candidate);
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    const state = this.#create();
    this.#states.set(name, state);
    return state;
  }
}

/** The name of a candidate among all. */
export function nameOf({ service, id }: Candidate): string {
  return `${service}/${id}`;
}

/** Less than any weight that somebody would choose: those of weight 0 are equals, should there be nobody else. */
const leastShare = 1e-9;

/** The share of the load that a candidate takes, above 0. */
export function shareOf({ weight }: Candidate): number {
  return Math.max(weight, leastShare);
}
