import type { Balancer, Candidate, FinishedRequest } from "./balancer.ts";

/** Those of one's own zone while there are enough of them, else all; among these another policy chooses. */
export class ZoneFirst implements Balancer {
  readonly #inner: Balancer;
  readonly #zone: string;
  readonly #atLeast: number;
  #candidates: readonly Candidate[] = [];
  #eligible: readonly Candidate[] = [];

  /**
   * @param inner - chooses among those that are eligible
   * @param options - the zone, and how many of it are enough (default: 1)
   */
  constructor(inner: Balancer, { zone, atLeast = 1 }: { readonly zone: string; readonly atLeast?: number }) {
    this.#inner = inner;
    this.#zone = zone;
    this.#atLeast = atLeast;
  }

  pick<Each extends Candidate>(candidates: readonly Each[], key?: string): Each | undefined {
    return this.#inner.pick(this.#eligibleOf(candidates), key);
  }

  started(instance: Candidate): void {
    this.#inner.started?.(instance);
  }

  finished(instance: Candidate, request: FinishedRequest): void {
    this.#inner.finished?.(instance, request);
  }

  #eligibleOf<Each extends Candidate>(candidates: readonly Each[]): readonly Each[] {
    if (candidates !== this.#candidates) {
      const near = candidates.filter(({ zone }) => zone === this.#zone);
      this.#candidates = candidates;
      this.#eligible = near.length >= this.#atLeast ? near : candidates;
    }
    return this.#eligible as readonly Each[]; // Some of these very candidates.
  }
}
