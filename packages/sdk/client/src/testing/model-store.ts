/** @module The simplest store with a history that a watch can be held against. */
import { binaryString, compareBytes, utf8 } from "@conclave/base";
import { type Event, Event_EventType as EventType, type KeyValue } from "@conclave/protocol/mvccpb";

/** One change: a put, or a deletion where the value is undefined. */
export interface Change {
  readonly key: string;
  readonly value: string | undefined;
}

/** One revision of the history. */
export interface Revision {
  readonly revision: number;
  readonly events: readonly Event[];
}

/** A store that remembers everything, and says no to what it was told to forget. */
export class ModelStore {
  readonly history: Revision[] = [];
  revision = 1;
  compactRevision = 0;
  readonly #listeners: (() => void)[] = [];

  /** Applies changes as one revision; deletions of missing keys are left out. */
  commit(changes: readonly Change[]): void {
    const live = this.at(this.revision);
    const kinds = changes.filter(({ key, value }) => value !== undefined || live.has(binaryString(utf8(key))));
    if (kinds.length === 0) return;
    this.revision++;
    const events = kinds.map((change) => this.#event(change, live));
    this.history.push({ revision: this.revision, events });
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after every commit. */
  onCommit(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The pairs as of a revision, by their keys. */
  at(revision: number): Map<string, KeyValue> {
    const live = new Map<string, KeyValue>();
    for (const { revision: at, events } of this.history) {
      if (at > revision) break;
      for (const { type, kv } of events) {
        if (kv === undefined) continue;
        if (type === EventType.DELETE) live.delete(binaryString(kv.key));
        else live.set(binaryString(kv.key), kv);
      }
    }
    return live;
  }

  /** The pairs of a range as of a revision, in order. */
  list(key: Uint8Array, rangeEnd: Uint8Array, revision: number): readonly KeyValue[] {
    return [...this.at(revision).values()]
      .filter((kv) => inRange(kv.key, key, rangeEnd))
      .sort((left, right) => compareBytes(left.key, right.key));
  }

  #event({ key, value }: Change, live: ReadonlyMap<string, KeyValue>): Event {
    const bytes = utf8(key);
    const before = live.get(binaryString(bytes));
    const kv: KeyValue = {
      key: bytes,
      value: utf8(value ?? ""),
      createRevision: value === undefined ? 0 : (before?.createRevision ?? this.revision),
      modRevision: this.revision,
      version: value === undefined ? 0 : (before?.version ?? 0) + 1,
      lease: 0n,
    };
    return { type: value === undefined ? EventType.DELETE : EventType.PUT, kv, prevKv: before };
  }
}

/** Whether a key is in a range of the protocol. */
export function inRange(key: Uint8Array, start: Uint8Array, end: Uint8Array): boolean {
  if (end.length === 0) return compareBytes(key, start) === 0;
  const endless = end.length === 1 && end[0] === 0;
  return compareBytes(key, start) >= 0 && (endless || compareBytes(key, end) < 0);
}
