import { compareBytes } from "@conclave/base";
import type { KeyValue } from "@conclave/protocol/mvccpb";

/** A key as two clusters have it. */
export interface KeyPair {
  /** At the source; undefined if it is not there. */
  readonly source: KeyValue | undefined;
  /** At the destination; undefined if it is not there. */
  readonly destination: KeyValue | undefined;
}

/** Puts the keys of two clusters side by side. Both come in order. */
export async function* joinKeys(
  source: AsyncIterator<KeyValue>,
  destination: AsyncIterator<KeyValue>,
): AsyncGenerator<KeyPair> {
  let [left, right] = await Promise.all([next(source), next(destination)]);
  while (left !== undefined || right !== undefined) {
    const order = orderOf(left, right);
    yield { source: order <= 0 ? left : undefined, destination: order >= 0 ? right : undefined };
    if (order <= 0) left = await next(source);
    if (order >= 0) right = await next(destination);
  }
}

/** Which one comes first; one that is not there comes last. */
function orderOf(left: KeyValue | undefined, right: KeyValue | undefined): number {
  if (left === undefined) return 1;
  return right === undefined ? -1 : compareBytes(left.key, right.key);
}

async function next(keys: AsyncIterator<KeyValue>): Promise<KeyValue | undefined> {
  const { done, value } = await keys.next();
  return done === true ? undefined : value;
}
