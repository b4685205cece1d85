import { type KeyInterval, reaches } from "./key-interval.ts";

/**
 * A set of keys made of intervals: what may be read, or written, by virtue of all permissions together. The intervals
 * are merged where they meet, so that each question is one search: a range is covered if one of them covers it.
 *
 * ```
 * granted     [a, c)  [b, f)          [m, p)  [p, q)
 * kept        [a ────── f)            [m ────── q)
 * ```
 */
export class PermissionTree {
  /** Disjoint, ascending, and none begins where another ends. */
  readonly #merged: readonly KeyInterval[];

  constructor(granted: Iterable<KeyInterval>) {
    this.#merged = merge([...granted].sort((left, right) => (left.start < right.start ? -1 : 1)));
  }

  /** Whether every key of an interval is in the set. */
  covers({ start, end }: KeyInterval): boolean {
    const candidate = this.#lastFrom(start);
    return candidate !== undefined && reaches(candidate.end, end);
  }

  /** The interval that holds a key, found by halving. */
  #lastFrom(key: string): KeyInterval | undefined {
    let [low, high] = [0, this.#merged.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#merged[middle]?.start ?? "") <= key) low = middle + 1;
      else high = middle;
    }
    const found = this.#merged[low - 1];
    return found !== undefined && (found.end === undefined || found.end > key) ? found : undefined;
  }
}

function merge(ascending: readonly KeyInterval[]): KeyInterval[] {
  const merged: KeyInterval[] = [];
  for (const next of ascending) {
    const last = merged.at(-1);
    if (last === undefined || !reaches(last.end, next.start)) merged.push(next);
    else if (!reaches(last.end, next.end)) merged[merged.length - 1] = { start: last.start, end: next.end };
  }
  return merged;
}
