import type { HistoryOperation } from "../history.ts";
import type { Model } from "../linearizability.ts";

/**
 * Linearizability by its definition, with nothing clever in it: tries every order of every choice of the operations
 * of unknown outcome that keeps to real time.
 */
export function isLinearizableByBruteForce<State, Operation, Answer>(
  operations: readonly HistoryOperation<Operation, Answer>[],
  model: Model<State, Operation, Answer>,
): boolean {
  return extend(model.init, operations);

  function extend(state: State, left: readonly HistoryOperation<Operation, Answer>[]): boolean {
    if (left.every(({ returned }) => returned === undefined)) return true;
    return left.some((next) => {
      const rest = left.filter((other) => other !== next);
      const mayComeNext = rest.every(({ returned }) => returned === undefined || returned.at > next.invokedAt);
      if (!mayComeNext) return false;
      return model.step(state, next.operation, next.returned?.answer).some((after) => extend(after, rest));
    });
  }
}
