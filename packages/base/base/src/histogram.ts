/**
 * Counts of values by how large they are, in plain numbers: observing one costs a walk over a few bounds and nothing
 * else. What becomes of the counts is up to who reads them.
 */
export class Histogram {
  /** Upper bounds of the buckets, ascending, each included; a last bucket has none. */
  readonly bounds: readonly number[];
  /** How many values fell into each bucket, the last one included. */
  readonly counts: number[];
  /** The sum of all values. */
  sum = 0;

  /** @param bounds - upper bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = [...bounds.map(() => 0), 0];
  }

  /** How many values were observed. */
  get count(): number {
    return this.counts.reduce((total, each) => total + each, 0);
  }

  /** Takes a value. */
  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += value;
  }
}

/** Bounds that begin at one value and grow by a factor. */
export function exponentialBounds(options: {
  readonly start: number;
  readonly factor: number;
  readonly count: number;
}): readonly number[] {
  const { start, factor, count } = options;
  // 0.001 · 2^n has digits that are none of ours; twelve are enough.
  return Array.from({ length: count }, (_, power) => Number((start * factor ** power).toPrecision(12)));
}
