import type { HistoryOperation } from "./history.ts";
import type { Model } from "./linearizability.ts";
import { PendingPoints } from "./pending-points.ts";

/** Why no order was found. */
export interface Explanation<Operation, Answer> {
  readonly misfit: HistoryOperation<Operation, Answer>;
  readonly prefix: readonly HistoryOperation<Operation, Answer>[];
  readonly concurrent: readonly HistoryOperation<Operation, Answer>[];
}

/** How a search ends. */
export type SearchOutcome<Operation, Answer> =
  | { readonly kind: "ok" }
  | { readonly kind: "undecided" }
  | { readonly kind: "violated"; readonly explanation: Explanation<Operation, Answer> };

/** What can be applied next. */
interface Candidate<Operation, Answer> {
  readonly operation: HistoryOperation<Operation, Answer>;
  /** Its call in the list of points if it has returned, else its place among those of unknown outcome. */
  readonly at: number;
  readonly known: boolean;
}

/** A place in the tree of orders. */
interface Place<State, Operation, Answer> {
  readonly state: State;
  readonly untried: Iterator<Candidate<Operation, Answer>>;
  /** What was applied to go on from here. */
  applied: Candidate<Operation, Answer> | undefined;
  /** The states it may have led to that were not tried yet. */
  alternatives: State[];
}

const noneOfUnknown: readonly bigint[] = [0n];

/** A depth-first search for an order of one part's operations. */
export class LinearizationSearch<State, Operation, Answer> {
  readonly #model: Model<State, Operation, Answer>;
  readonly #statesMax: number;
  /** Those that returned, and those that may not have; in the order of their invocation. */
  readonly #known: readonly HistoryOperation<Operation, Answer>[];
  readonly #unknown: readonly HistoryOperation<Operation, Answer>[];
  readonly #pending: PendingPoints;
  /** From the begin to where the search is. */
  readonly #path: Place<State, Operation, Answer>[] = [];
  /** A bit for each of {@link #unknown} that is applied. */
  #unknownApplied = 0n;
  /** For each state and set of known operations, the smallest sets of unknown ones it was tried with. */
  readonly #tried = new Map<string, readonly bigint[]>();
  readonly #stateNames = new Map<string, number>();
  #furthestPoint = -1;
  #furthestPath: readonly HistoryOperation<Operation, Answer>[] = [];
  /** How many states have been looked at. */
  states = 0;

  constructor(
    operations: readonly HistoryOperation<Operation, Answer>[],
    model: Model<State, Operation, Answer>,
    statesMax: number,
  ) {
    const ordered = [...operations].sort((left, right) => left.invokedAt - right.invokedAt);
    this.#model = model;
    this.#statesMax = statesMax;
    this.#known = ordered.filter(({ returned }) => returned !== undefined);
    this.#unknown = ordered.filter(({ returned }) => returned === undefined);
    this.#pending = new PendingPoints(
      this.#known.map(({ invokedAt, returned }) => ({ call: invokedAt, return: returned?.at ?? invokedAt })),
    );
  }

  /** Searches until there is an order, there is none, or enough states have been seen. */
  run(): SearchOutcome<Operation, Answer> {
    this.#enter(this.#model.init);
    while (!this.#pending.isEmpty) {
      if (this.states >= this.#statesMax) return { kind: "undecided" };
      const place = this.#path.at(-1);
      if (place === undefined) return { kind: "violated", explanation: this.#explanation() };
      if (this.#goOn(place)) continue;
      this.#noteFurthest();
      this.#path.pop();
    }
    return { kind: "ok" };
  }

  #enter(state: State): void {
    this.#path.push({ state, untried: this.#candidates(), applied: undefined, alternatives: [] });
  }

  /** Goes on from a place to one that was not tried before; false if there is none. */
  #goOn(place: Place<State, Operation, Answer>): boolean {
    for (;;) {
      for (let next = place.alternatives.pop(); next !== undefined; next = place.alternatives.pop()) {
        if (!this.#isNew(next)) continue;
        this.#enter(next);
        return true;
      }
      if (place.applied !== undefined) this.#takeBack(place.applied);
      const { value: candidate, done } = place.untried.next();
      place.applied = done === true ? undefined : candidate;
      if (place.applied === undefined) return false;
      const { operation, returned } = place.applied.operation;
      place.alternatives = [...this.#model.step(place.state, operation, returned?.answer)];
      this.#apply(place.applied);
    }
  }

  /**
   * The operations that no other must precede, as their calls come before every return: first those that returned, then,
   * as these may as well never happen, the others.
   */
  *#candidates(): Generator<Candidate<Operation, Answer>, undefined> {
    const { calls, firstReturn } = this.#pending.untilFirstReturn();
    yield* this.#knownCandidates(calls);
    for (const [at, operation] of this.#unknown.entries()) {
      if (operation.invokedAt > firstReturn) return;
      if ((this.#unknownApplied & (1n << BigInt(at))) === 0n) yield { operation, at, known: false };
    }
  }

  #knownCandidates(calls: readonly number[]): readonly Candidate<Operation, Answer>[] {
    const candidates = calls.flatMap((at) => {
      const operation = this.#known[this.#pending.operationAt(at)];
      return operation === undefined ? [] : [{ operation, at, known: true }];
    });
    const rankOf = ({ operation: { returned } }: Candidate<Operation, Answer>) =>
      (returned && this.#model.rank?.(returned.answer)) ?? 0;
    return candidates.length < 2 ? candidates : candidates.sort((left, right) => rankOf(left) - rankOf(right));
  }

  #apply({ known, at }: Candidate<Operation, Answer>): void {
    if (known) this.#pending.remove(at);
    else this.#unknownApplied |= 1n << BigInt(at);
  }

  #takeBack({ known, at }: Candidate<Operation, Answer>): void {
    if (known) this.#pending.restore(at);
    else this.#unknownApplied &= ~(1n << BigInt(at));
  }

  /** Whether nothing that can do at least as much was tried; notes that this is tried now. */
  #isNew(state: State): boolean {
    this.states += 1;
    const key = `${this.#stateName(state)}:${this.#pending.removedKey()}`;
    const mine = this.#unknownApplied;
    const tried = this.#tried.get(key);
    if (tried === undefined) {
      this.#tried.set(key, mine === 0n ? noneOfUnknown : [mine]);
      return true;
    }
    if (tried.some((other) => (other & mine) === other)) return false;
    this.#tried.set(key, [...tried.filter((other) => (other & mine) !== mine), mine]);
    return true;
  }

  /** A number that stands for the state: the same for the same hash. */
  #stateName(state: State): number {
    const hash = this.#model.hash(state);
    const name = this.#stateNames.get(hash) ?? this.#stateNames.size;
    this.#stateNames.set(hash, name);
    return name;
  }

  /** Notes how far the search came, by the return it could not get past; of the ways there the shortest. */
  #noteFurthest(): void {
    const { firstReturn } = this.#pending.untilFirstReturn();
    const isShorter = this.#path.length - 1 < this.#furthestPath.length;
    if (firstReturn < this.#furthestPoint || (firstReturn === this.#furthestPoint && !isShorter)) return;
    this.#furthestPoint = firstReturn;
    this.#furthestPath = this.#path.flatMap(({ applied }) => (applied === undefined ? [] : [applied.operation]));
  }

  #explanation(): Explanation<Operation, Answer> {
    const limit = this.#furthestPoint;
    const misfit = this.#known.find(({ returned }) => returned?.at === limit);
    if (misfit === undefined) throw new TypeError(`Cannot explain what happened at ${limit}: two points are the same`);
    const prefix = new Set(this.#furthestPath);
    const concurrent = [...this.#known, ...this.#unknown].filter(
      (operation) => operation.invokedAt < limit && operation !== misfit && !prefix.has(operation),
    );
    return { misfit, prefix: this.#furthestPath, concurrent };
  }
}
