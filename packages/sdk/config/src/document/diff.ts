/** @module What is different between two values. */
import { isDeepStrictEqual } from "node:util";

/** One difference between two values. */
export interface Difference {
  /** Where: names of fields and places in lists, from the outside in; empty: the values themselves. */
  readonly path: readonly (string | number)[];
  /** What was there; undefined if nothing was. */
  readonly before: unknown;
  /** What is there; undefined if nothing is. */
  readonly after: unknown;
}

/**
 * The differences between two values that JSON can say: the smallest parts that differ, in the order of the fields'
 * names. Lists are compared place by place.
 *
 * @example
 * ```ts
 * diffValues({ a: 1, b: [1, 2] }, { a: 2, b: [1] });
 * // [{ path: ["a"], before: 1, after: 2 }, { path: ["b", 1], before: 2, after: undefined }]
 * ```
 */
export function diffValues(before: unknown, after: unknown): readonly Difference[] {
  return [...differences([], before, after)];
}

function* differences(path: Difference["path"], before: unknown, after: unknown): Generator<Difference> {
  if (isDeepStrictEqual(before, after)) return;
  const steps = commonSteps(before, after);
  if (steps === undefined) yield { path, before, after };
  else for (const step of steps) yield* differences([...path, step], at(before, step), at(after, step));
}

/** The names or places that two values have together; undefined if they are not of one kind. */
function commonSteps(before: unknown, after: unknown): readonly (string | number)[] | undefined {
  if (Array.isArray(before) && Array.isArray(after)) return [...(before.length > after.length ? before : after).keys()];
  if (!isFields(before) || !isFields(after)) return undefined;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
}

function isFields(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(value: unknown, step: string | number): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, step)
    ? Reflect.get(value, step)
    : undefined;
}
