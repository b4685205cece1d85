/** @module The store's history as events, for watchers that have fallen behind or begin in the past. */
import { ByteSlab, binaryString } from "@conclave/base";
import { decodeKey } from "./key-value.ts";
import { MvccError } from "./mvcc-error.ts";
import { isTombstoneKey, revisionKey, revisionMain } from "./revision.ts";
import { encodeDeletedKeyValue, type PreviousValues, StoreEvent } from "./store-event.ts";
import type { StoreState } from "./store-state.ts";

/** Which part of the history to read. */
export interface HistoryQuery {
  /** First revision, at least the compact revision. */
  readonly fromRevision: number;
  /** Revision before which to stop. */
  readonly toRevision: number;
  /** Changes after which reading stops at the next revision; one revision is never divided. */
  readonly limit: number;
  /** Bytes of stored changes after which reading stops likewise; default: no limit. */
  readonly limitBytes?: number;
  /** Whether the events of a key, a binary string, are wanted. */
  accepts(key: string): boolean;
}

/** A part of the history. */
export interface HistorySlice {
  /** The accepted events in order. */
  readonly events: readonly StoreEvent[];
  /** The first revision that was not read; `toRevision` at the end. */
  readonly nextRevision: number;
}

/** @throws {@link MvccError} `COMPACTED` if `fromRevision` lies below the compact revision */
export function readHistory(state: StoreState, previous: PreviousValues, query: HistoryQuery): HistorySlice {
  if (query.fromRevision < state.compactRevision) throw new MvccError("COMPACTED");
  const events: StoreEvent[] = [];
  const slab = new ByteSlab();
  const scan = { start: revisionKey(query.fromRevision, 0), end: revisionKey(query.toRevision, 0) };
  const { limit, limitBytes = Number.POSITIVE_INFINITY } = query;
  let read = 0;
  let readBytes = 0;
  let last = query.fromRevision;
  for (const [entryKey, value] of state.backend.scan("key", scan)) {
    const main = revisionMain(entryKey);
    if ((read >= limit || readBytes >= limitBytes) && main !== last) return { events, nextRevision: main };
    read++;
    readBytes += value.length;
    last = main;
    const key = binaryString(decodeKey(value));
    if (query.accepts(key)) events.push(eventOf({ key, main, entryKey, value }, previous, slab));
  }
  return { events, nextRevision: query.toRevision };
}

interface Change {
  readonly key: string;
  readonly main: number;
  readonly entryKey: Uint8Array;
  readonly value: Uint8Array;
}

function eventOf({ key, main, entryKey, value }: Change, previous: PreviousValues, slab: ByteSlab): StoreEvent {
  const change = isTombstoneKey(entryKey)
    ? { type: "delete" as const, kvBytes: encodeDeletedKeyValue(key, main, slab) }
    : { type: "put" as const, kvBytes: value };
  return new StoreEvent({ ...change, key, modRevision: main }, previous);
}
