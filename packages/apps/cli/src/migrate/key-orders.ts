/** A revision at the source, and the one at the destination that stands for it. */
export type RevisionPair = readonly [source: number, destination: number];

/**
 * How many writes of the source came later than one before them, but not later at the destination. Writes of one
 * revision may have more than one there.
 */
export function countOutOfOrder(pairs: readonly RevisionPair[]): number {
  const sorted = pairs.toSorted(([left], [right]) => left - right);
  let count = 0;
  /** The newest at the destination, of all source revisions before this one, and with those of this one. */
  let [before, reached, current] = [0, 0, 0];
  for (const [source, destination] of sorted) {
    if (source !== current) [before, current] = [reached, source];
    if (destination <= before) count++;
    reached = Math.max(reached, destination);
  }
  return count;
}
