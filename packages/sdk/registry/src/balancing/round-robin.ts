import type { Random } from "@conclave/base";
import type { Balancer, Candidate } from "./balancer.ts";

/** One after the other, from a place chosen by chance: clients that start together do not all begin with the first. */
export class RoundRobin implements Balancer {
  #next: number;

  /** @param ports - chance */
  constructor({ random }: { readonly random: Random }) {
    this.#next = random.below(2 ** 31);
  }

  pick<Each extends Candidate>(candidates: readonly Each[]): Each | undefined {
    return candidates[this.#next++ % candidates.length];
  }
}
