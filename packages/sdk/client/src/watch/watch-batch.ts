/** @module What a watch tells its consumer. */
import { binaryString, invariant } from "@conclave/base";
import { type Event, Event_EventType as EventType } from "@conclave/protocol/mvccpb";
import { deletedKeyValue, type KeyValue, toKeyValue } from "../kv/key-value.ts";
import type { Keyspace } from "../kv/keyspace.ts";

/** One change of one key. */
export interface WatchEvent {
  /** Whether the key was written or deleted (by a deletion or with its lease). */
  readonly type: "put" | "delete";
  /** The key after the change. Of a deletion only `key` and `modRevision` say anything. */
  readonly kv: KeyValue;
  /** The key before the change, if `prevKv` was asked for and it was there and not compacted. */
  readonly prevKv: KeyValue | undefined;
}

/** Every change that one revision made to the range, in the order it made them. */
export interface EventsBatch {
  /** Real changes. */
  readonly kind: "events";
  /** The revision. To go on after this batch later, watch from `revision + 1`. */
  readonly revision: number;
  /** The changes, at least one. */
  readonly events: readonly WatchEvent[];
  /**
   * The first revision that is in this batch, if it was made of several as the policy `"coalesce"` allows: then it has
   * the newest event of each key, in the order of their revisions, with what the key was before all of them.
   */
  readonly coalescedFrom?: number;
}

/** The state of the range, where the changes that led to it are not to be had. */
export interface ResyncBatch {
  /** The state, and the difference to what was told before. */
  readonly kind: "resync";
  /** The revision of the state. */
  readonly revision: number;
  /**
   * What leads from the state told before to this one: what changed in between several times is told once, and
   * deletions carry this batch's revision.
   */
  readonly events: readonly WatchEvent[];
  /** Every pair of the range. */
  readonly snapshot: readonly KeyValue[];
}

/** Nothing has changed up to a revision. */
export interface ProgressBatch {
  /** No change. */
  readonly kind: "progress";
  /** The revision up to which everything has been told. */
  readonly revision: number;
  /** Empty. */
  readonly events: readonly [];
}

/** What a watch tells at once. */
export type WatchBatch = EventsBatch | ResyncBatch | ProgressBatch;

/** One batch in place of several that follow on each other, with the newest event of each key. */
export function coalesce(batches: readonly EventsBatch[]): EventsBatch {
  const newest = new Map<string, WatchEvent>();
  for (const event of batches.flatMap(({ events }) => events)) {
    const key = binaryString(event.kv.key);
    const earlier = newest.get(key);
    // Set anew, so that the order is that of the newest events.
    newest.delete(key);
    newest.set(key, earlier === undefined ? event : { ...event, prevKv: earlier.prevKv });
  }
  const [first] = batches;
  const last = batches.at(-1);
  invariant(first !== undefined && last !== undefined, "there are batches to coalesce");
  return {
    kind: "events",
    revision: last.revision,
    events: [...newest.values()],
    coalescedFrom: first.coalescedFrom ?? first.revision,
  };
}

/** What the consumer sees of an event of the store. */
export function toWatchEvent({ type, kv, prevKv }: Event, space: Keyspace): WatchEvent {
  const wire = kv ?? {
    key: space.prefix,
    value: new Uint8Array(0),
    createRevision: 0,
    modRevision: 0,
    version: 0,
    lease: 0n,
  };
  return {
    type: type === EventType.DELETE ? "delete" : "put",
    kv: type === EventType.DELETE ? deletedKeyValue(space.strip(wire.key), wire.modRevision) : toKeyValue(wire, space),
    prevKv: prevKv === undefined ? undefined : toKeyValue(prevKv, space),
  };
}
