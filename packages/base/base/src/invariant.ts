/** Thrown when the program has broken a rule of its own. Never caught except at the top of the process. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * States a condition that must hold; always checked.
 *
 * @param condition - what must be true
 * @param rule - the rule, written positively, as it would stand in a proof
 * @param operands - the numbers the rule speaks of, shown in the message
 * @throws {@link InvariantError} if the condition is false
 */
export function invariant(
  condition: boolean,
  rule: string,
  ...operands: readonly (number | bigint | string)[]
): asserts condition {
  if (!condition)
    throw new InvariantError(`Invariant broken: ${rule}${operands.length > 0 ? ` (${operands.join(", ")})` : ""}`);
}

let verifying = false;

/** Turns the costly checks of {@link verify} on or off. Test runs turn them on. */
export function setVerifying(on: boolean): void {
  verifying = on;
}

/**
 * States a condition that is costly to check; checked only while {@link setVerifying} is on.
 *
 * @throws {@link InvariantError} if the condition is checked and false
 */
export function verify(condition: () => boolean, rule: string): void {
  if (verifying) invariant(condition(), rule);
}
