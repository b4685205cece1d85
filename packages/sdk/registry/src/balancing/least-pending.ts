import type { Random } from "@conclave/base";
import { type Balancer, type Candidate, Memory, shareOf } from "./balancer.ts";

/** The one with fewest requests under way for its weight; by chance among equals. Counts those of this process only. */
export class LeastPending implements Balancer {
  readonly #random: Random;
  readonly #pending = new Memory<{ requests: number }>(() => ({ requests: 0 }));

  /** @param ports - chance */
  constructor({ random }: { readonly random: Random }) {
    this.#random = random;
  }

  pick<Each extends Candidate>(candidates: readonly Each[]): Each | undefined {
    this.#pending.keep(candidates);
    let least: Each[] = [];
    let leastLoad = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) {
      const load = (this.#pending.of(candidate).requests + 1) / shareOf(candidate);
      if (load > leastLoad) continue;
      if (load < leastLoad) least = [];
      leastLoad = load;
      least.push(candidate);
    }
    return least.length === 0 ? undefined : least[this.#random.below(least.length)];
  }

  started(instance: Candidate): void {
    this.#pending.of(instance).requests += 1;
  }

  finished(instance: Candidate): void {
    const pending = this.#pending.of(instance);
    pending.requests = Math.max(0, pending.requests - 1); // It may have been forgotten meanwhile.
  }
}
