/** A half-open interval of keys as binary strings. */
export interface KeyInterval {
  readonly start: string;
  readonly end: string;
}

/** A set of keys made of intervals, kept as the fewest disjoint ones in ascending order. */
export class KeyIntervals {
  #intervals: readonly KeyInterval[];

  constructor(intervals: readonly KeyInterval[] = []) {
    this.#intervals = merged(intervals);
  }

  /** Whether a key lies in one of the intervals. */
  has(key: string): boolean {
    let low = 0;
    let high = this.#intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#intervals[middle] as KeyInterval).end <= key) low = middle + 1;
      else high = middle;
    }
    const first = this.#intervals[low];
    return first !== undefined && first.start <= key;
  }

  /** Adds the keys of another set. */
  addAll(other: KeyIntervals): void {
    if (other.#intervals.length > 0) this.#intervals = merged([...this.#intervals, ...other.#intervals]);
  }
}

/** The same keys as the fewest disjoint intervals, ascending. An interval that ends before it starts holds none. */
function merged(intervals: readonly KeyInterval[]): KeyInterval[] {
  const result: KeyInterval[] = [];
  for (const { start, end } of intervals.toSorted((left, right) => (left.start < right.start ? -1 : 1))) {
    if (end <= start) continue;
    const last = result.at(-1);
    if (last === undefined || last.end < start) result.push({ start, end });
    else if (last.end < end) result[result.length - 1] = { start: last.start, end };
  }
  return result;
}
