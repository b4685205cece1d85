import { eventKey, eventRevision, inRange, type KvEvent, type KvItem, type KvRange } from "./kv-operation.ts";
import type { KvView } from "./kv-semantics.ts";

/** A key from a revision on: as it was put, or absent. */
interface Version {
  readonly revision: number;
  readonly item: KvItem | undefined;
}

/** Where a history begins. */
export interface TimelineStart {
  /** Revision before the first event; default 1, that of an empty store. */
  readonly revision?: number;
  /** The live keys at that revision; default none. */
  readonly items?: readonly KvItem[];
  /**
   * Whether the events are those of one range of keys, to which all operations keep, while others may write elsewhere:
   * revisions without an event are theirs. Default `false`: every revision must have an event.
   */
  readonly isPartial?: boolean;
}

/** Every state that a store has gone through, rebuilt from all its events. */
export class KvTimeline {
  /** Revision before the first event. */
  readonly firstRevision: number;
  readonly #versions = new Map<string, Version[]>();
  readonly #sortedKeys: readonly string[];
  readonly #events = new Map<number, KvEvent[]>();
  /** Revision of the last event. */
  readonly lastRevision: number;

  /** @param events - all events of all keys, ascending by revision */
  constructor(events: readonly KvEvent[], start: TimelineStart = {}) {
    const { revision = 1, items = [] } = start;
    this.firstRevision = revision;
    for (const item of items) this.#versions.set(item.key, [{ revision, item }]);
    for (const event of events) this.#take(event);
    this.#sortedKeys = [...this.#versions.keys()].sort();
    this.lastRevision = events.reduce((last, event) => Math.max(last, eventRevision(event)), revision);
  }

  /** The events of a revision, in their order. */
  eventsAt(revision: number): readonly KvEvent[] {
    return this.#events.get(revision) ?? [];
  }

  /** The state that a revision led to; beyond the last one, the last. */
  at(revision: number): KvView {
    return {
      get: (key) => this.#itemAt(key, revision),
      range: (range) => this.#rangeAt(range, revision),
      at: (older) => this.at(older),
    };
  }

  #take(event: KvEvent): void {
    const revision = eventRevision(event);
    const events = this.#events.get(revision);
    if (events === undefined) this.#events.set(revision, [event]);
    else events.push(event);
    const version = { revision, item: event.type === "put" ? event.item : undefined };
    const versions = this.#versions.get(eventKey(event));
    if (versions === undefined) this.#versions.set(eventKey(event), [version]);
    else versions.push(version);
  }

  #itemAt(key: string, revision: number): KvItem | undefined {
    const versions = this.#versions.get(key) ?? [];
    return versions[newestUpTo(versions, revision)]?.item;
  }

  #rangeAt(range: KvRange, revision: number): readonly KvItem[] {
    return this.#sortedKeys
      .filter((key) => inRange(key, range))
      .map((key) => this.#itemAt(key, revision))
      .filter((item) => item !== undefined);
  }
}

/** The index of the newest version up to a revision; -1 if there is none. */
function newestUpTo(versions: readonly Version[], revision: number): number {
  let [low, high] = [0, versions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((versions[middle]?.revision ?? 0) <= revision) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
