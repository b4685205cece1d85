import type { KeyRange } from "./key-range.ts";
import { IntervalMap } from "./watch-interval-map.ts";
import type { Watcher } from "./watcher.ts";

/** The watchers of one range; they match the same events. */
export type RangeWatchers = ReadonlySet<Watcher>;

function isSingleKey({ start, end }: KeyRange): boolean {
  return end === `${start}\0`;
}

/** Watchers by what they watch: single keys in a map, the others in an interval tree with one node for each range. */
export class WatcherGroup {
  readonly #single = new Map<string, Set<Watcher>>();
  readonly #ranges = new IntervalMap<Set<Watcher>>();
  #size = 0;

  /** Number of watchers. */
  get size(): number {
    return this.#size;
  }

  /** Adds a watcher that is not in the group. */
  add(watcher: Watcher): void {
    const { range } = watcher;
    const watchers = this.#of(range);
    this.#size++;
    if (watchers !== undefined) watchers.add(watcher);
    else if (isSingleKey(range)) this.#single.set(range.start, new Set([watcher]));
    else this.#ranges.add(range, new Set([watcher]));
  }

  /** Removes a watcher that is in the group. */
  delete(watcher: Watcher): void {
    const { range } = watcher;
    const watchers = this.#of(range);
    if (watchers?.delete(watcher) !== true) return;
    this.#size--;
    if (watchers.size > 0) return;
    if (isSingleKey(range)) this.#single.delete(range.start);
    else this.#ranges.delete(range);
  }

  /** The watchers of exactly this range. */
  of(range: KeyRange): RangeWatchers | undefined {
    return this.#of(range);
  }

  /** Visits the watchers of every range that holds a key, range by range. */
  visit(key: string, visit: (watchers: RangeWatchers) => void): void {
    const single = this.#single.get(key);
    if (single !== undefined) visit(single);
    this.#ranges.visitHolders(key, visit);
  }

  /** Whether a range of the group holds a key. */
  holds(key: string): boolean {
    return this.#single.has(key) || this.#ranges.holds(key);
  }

  #of(range: KeyRange): Set<Watcher> | undefined {
    return isSingleKey(range) ? this.#single.get(range.start) : this.#ranges.get(range);
  }
}
