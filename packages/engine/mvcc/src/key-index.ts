import { KeyHistory, type KeyRevision } from "./key-history.ts";
import type { KeyRange } from "./key-range.ts";
import { OrderedMap } from "./ordered-map.ts";
import type { Revision } from "./revision.ts";

/** Told of a key that a scan of the index comes upon; `false` ends the scan. */
export type HistoryVisitor = (key: string, history: KeyHistory) => boolean;

/** What a put made of its key. */
export interface KeyPut {
  readonly createRevision: number;
  readonly version: number;
  /** The lease that the key hung on before, 0 if none. */
  readonly oldLease: bigint;
}

/** The index of user keys: from each key to its retained revisions, ordered by key, in memory. */
export class KeyIndex {
  readonly #keys = new OrderedMap<KeyHistory>();

  /** Number of keys, deleted but not yet compacted ones included. */
  get size(): number {
    return this.#keys.size;
  }

  /** The history of a key. */
  get(key: string): KeyHistory | undefined {
    return this.#keys.get(key);
  }

  /** Adds a put and says what it made of the key. */
  put(key: string, revision: Revision, lease: bigint): KeyPut {
    const { main, sub } = revision;
    let created = false;
    const history = this.#keys.getOrInsert(key, () => {
      created = true;
      return new KeyHistory({ main, sub, createRevision: main, version: 1 }, lease);
    });
    const oldLease = created ? 0n : history.lease;
    if (!created) {
      const createRevision = history.isLive ? history.createRevision : main;
      history.append({ main, sub, createRevision, version: history.version + 1 }, lease);
    }
    return { createRevision: history.createRevision, version: history.version, oldLease };
  }

  /** Adds a tombstone. */
  delete(key: string, revision: Revision): void {
    this.restore(key, { main: revision.main, sub: revision.sub, createRevision: 0, version: 0 }, 0n);
  }

  /** Adds a revision read back from the store; they come in ascending order. */
  restore(key: string, revision: KeyRevision, lease: bigint): void {
    let created = false;
    const history = this.#keys.getOrInsert(key, () => {
      created = true;
      return new KeyHistory(revision, lease);
    });
    if (!created) history.append(revision, lease);
  }

  /** Forgets what a compaction at `main` removes of one key. */
  compact(key: string, main: number): void {
    if (this.#keys.get(key)?.compact(main) === true) this.#keys.delete(key);
  }

  /** Visits every key of a range with its history, in order. */
  scan(range: KeyRange, visit: HistoryVisitor): void {
    this.#keys.scan(range.start, range.end, visit);
  }

  /** Visits the keys of a range that are live now, in order. */
  scanNewest(range: KeyRange, visit: HistoryVisitor): void {
    this.#keys.scan(range.start, range.end, (key, history) => !history.isLive || visit(key, history));
  }

  /** Whether some key's history passes a test. */
  some(test: (history: KeyHistory) => boolean): boolean {
    let found = false;
    this.#keys.scan("", undefined, (_key, history) => {
      found = test(history);
      return !found;
    });
    return found;
  }

  /** Every key with its history, in order. */
  forEach(visit: (key: string, history: KeyHistory) => void): void {
    this.#keys.scan("", undefined, (key, history) => {
      visit(key, history);
      return true;
    });
  }
}
