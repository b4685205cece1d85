import { type Balancer, type Candidate, Memory, shareOf } from "./balancer.ts";

/**
 * By weight, spread evenly: weights 5, 1, 1 give a a b a c a a, never five times the same in a row. At every choice each
 * candidate gains its weight, the one with most is chosen and pays the sum, as nginx does it. The time of a choice grows
 * with the number of candidates.
 */
export class SmoothWeighted implements Balancer {
  readonly #accounts = new Memory<{ credit: number }>(() => ({ credit: 0 }));

  pick<Each extends Candidate>(candidates: readonly Each[]): Each | undefined {
    this.#accounts.keep(candidates);
    let chosen: { readonly candidate: Each; readonly account: { credit: number } } | undefined;
    let sum = 0;
    for (const candidate of candidates) {
      const account = this.#accounts.of(candidate);
      account.credit += shareOf(candidate);
      sum += shareOf(candidate);
      if (chosen === undefined || account.credit > chosen.account.credit) chosen = { candidate, account };
    }
    if (chosen !== undefined) chosen.account.credit -= sum;
    return chosen?.candidate;
  }
}
