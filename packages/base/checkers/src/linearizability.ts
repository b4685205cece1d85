/**
 * @module Is there an order of all operations in which each gives the answer that was given, and which keeps to real
 * time: an operation that had returned before another was invoked comes before it?
 *
 * The search is that of Wing and Gong (1993) with Lowe's memory of what was tried (2017): take an operation that no
 * other must precede, apply it to the model, go on with the rest; if that fails, take it back and try another. What is
 * remembered of a try is the set of operations applied and the state they led to: meeting the same again cannot end
 * otherwise. An operation whose outcome is not known may be left out, or applied any time after its invocation. A try
 * that has applied more of these than another one, and is otherwise the same, cannot do what that one cannot.
 *
 * Histories of parts that do not touch each other are linearizable if each part is (Herlihy and Wing 1990, locality),
 * so they are checked one by one: a search of 200 operations ends soon where one of 10 000 would not.
 */
import { groupedBy } from "./grouped-by.ts";
import type { HistoryOperation } from "./history.ts";
import { LinearizationSearch } from "./linearization-search.ts";

/** A specification of a sequential object. States are values: a step makes new ones and leaves the old alone. */
export interface Model<State, Operation, Answer> {
  /** The state before the first operation. */
  readonly init: State;
  /**
   * The states that an operation may lead to; none if it cannot have given this answer in this state.
   *
   * @param answer - what the client was told; `undefined` if the outcome is not known: any answer will do
   */
  step(state: State, operation: Operation, answer: Answer | undefined): readonly State[];
  /** A string that two states share exactly if no operation can tell them apart. */
  hash(state: State): string;
  /**
   * A number by which operations that are under way together are tried, lower ones first: a guess at their order that
   * saves time when it is right, such as the revision in an answer. Default: the order of their invocation.
   */
  rank?(answer: Answer): number;
}

/** Options of {@link checkLinearizability}. */
export interface LinearizabilityOptions<Operation, Answer> {
  /**
   * Which part of the object an operation touches; operations of different parts must not influence each other, and
   * each part starts in {@link Model.init}. Default: all touch the same.
   */
  readonly partOf?: (operation: HistoryOperation<Operation, Answer>) => string;
  /** Most states to look at, over all parts, before giving up. Default 1 000 000, which take some 200 MB at worst. */
  readonly statesMax?: number;
}

/** Why a history is not linearizable, as short as can be. */
export interface LinearizabilityViolation<Operation, Answer> {
  /** The part in which it was found. */
  readonly part: string;
  /**
   * The operation that does not fit: up to its return, excluding it, the history is linearizable; with it, it is not.
   */
  readonly misfit: HistoryOperation<Operation, Answer>;
  /** An order of operations that explains everything that returned before the misfit did. */
  readonly prefix: readonly HistoryOperation<Operation, Answer>[];
  /** The operations that were under way then, and so could have come before the misfit or after it. */
  readonly concurrent: readonly HistoryOperation<Operation, Answer>[];
}

/** What {@link checkLinearizability} says. */
export type LinearizabilityVerdict<Operation, Answer> =
  | { readonly kind: "ok"; readonly checked: number; readonly states: number }
  | {
      readonly kind: "violated";
      readonly violation: LinearizabilityViolation<Operation, Answer>;
      readonly states: number;
    }
  /** The limit of states was reached: neither shown nor refuted. */
  | { readonly kind: "undecided"; readonly part: string; readonly states: number };

/** Most states that are looked at if nothing else is said. */
export const defaultStatesMax = 1_000_000;

/**
 * Checks a history against a model.
 *
 * @param operations - as {@link operationsOf} gives them
 * @throws RangeError if `statesMax` is no positive integer
 */
export function checkLinearizability<State, Operation, Answer>(
  operations: readonly HistoryOperation<Operation, Answer>[],
  model: Model<State, Operation, Answer>,
  options: LinearizabilityOptions<Operation, Answer> = {},
): LinearizabilityVerdict<Operation, Answer> {
  const { statesMax = defaultStatesMax, partOf = () => "" } = options;
  if (!Number.isSafeInteger(statesMax) || statesMax < 1)
    throw new RangeError(`Cannot look at a number of states that is no integer ≥ 1: current value is ${statesMax}`);
  let states = 0;
  for (const [part, members] of groupedBy(operations, partOf)) {
    const search = new LinearizationSearch(members, model, statesMax - states);
    const outcome = search.run();
    states += search.states;
    if (outcome.kind === "undecided") return { kind: "undecided", part, states };
    if (outcome.kind === "violated") return { kind: "violated", violation: { part, ...outcome.explanation }, states };
  }
  return { kind: "ok", checked: operations.length, states };
}
