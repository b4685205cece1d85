/**
 * @module What is to be written at the destination so that it becomes like the source, and in which order. A key is
 * written where the source created it and where it last changed it, so that both orders are the same on the other side:
 * the queues of locks and elections stand in the order of creation.
 *
 * ```
 * at the source       created   changed         at the destination
 * a                   5         9               5  put a
 * b                   7         7               7  put b
 *                                               9  put a
 * ```
 */
import { compareBytes } from "@conclave/base";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import type { KeyPair } from "./join-keys.ts";

/** A write that is to be made. */
export interface Step {
  /** The revision of the source that it stands for; 0 for what goes before all of them. */
  readonly revision: number;
  /** The key. */
  readonly key: Uint8Array;
  /** Whether it gets the value that it has at the source, or is deleted. */
  readonly kind: "put" | "delete";
}

/**
 * The steps for one key.
 *
 * @param done - the revision of the source up to which everything was written, in order; what the source wrote later is
 * written again even if it is there, so that the order stays
 */
export function stepsFor({ source, destination }: KeyPair, done: number): readonly Step[] {
  const removal: Step[] = destination === undefined ? [] : [{ revision: 0, key: destination.key, kind: "delete" }];
  if (source === undefined) return removal;
  const { key, createRevision, modRevision } = source;
  const put = (revision: number): Step => ({ revision, key, kind: "put" });
  if (destination !== undefined && createRevision <= done)
    return modRevision <= done && isSame(source, destination) ? [] : [put(modRevision)];
  return [...removal, put(createRevision), ...(modRevision === createRevision ? [] : [put(modRevision)])];
}

/** Whether a key has the same value and lease on both sides. */
export function isSame(left: KeyValue, right: KeyValue): boolean {
  return left.lease === right.lease && compareBytes(left.value, right.value) === 0;
}

/** The steps of many keys in the order in which they are made. */
export function inOrder(steps: readonly Step[]): readonly Step[] {
  return steps.toSorted((left, right) => left.revision - right.revision);
}
