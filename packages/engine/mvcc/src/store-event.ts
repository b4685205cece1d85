import { type ByteSlab, binaryStringBytes, emptyBytes } from "@conclave/base";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import { decodeKeyValue, encodeKeyValue } from "./key-value.ts";

/** What an event needs to look up the value before it. */
export interface PreviousValues {
  /** The pair of a key at a revision; undefined if it did not exist then or that revision has been compacted. */
  valueAt(key: string, revision: number): KeyValue | undefined;
}

/**
 * One change of a key, as watchers see it. Made for every change of every commit, so it decodes nothing until
 * asked: whoever has no use for the pair itself can pass its bytes on.
 */
export class StoreEvent {
  /** What happened. */
  readonly type: "put" | "delete";
  /** The key, as a binary string. */
  readonly key: string;
  /** Revision of the transaction that made the change. */
  readonly modRevision: number;
  /**
   * The bytes of the event's mvccpb.KeyValue: the new pair of a put; key and mod_revision of a delete. Ready to
   * stand in a WatchResponse, so they are encoded once for all watchers.
   */
  readonly kvBytes: Uint8Array;
  readonly #previous: PreviousValues;
  #kv: KeyValue | undefined;

  constructor(change: Pick<StoreEvent, "type" | "key" | "modRevision" | "kvBytes">, previous: PreviousValues) {
    this.type = change.type;
    this.key = change.key;
    this.modRevision = change.modRevision;
    this.kvBytes = change.kvBytes;
    this.#previous = previous;
    this.#kv = undefined;
  }

  /** The decoded pair; decoded once. */
  get kv(): KeyValue {
    this.#kv ??= decodeKeyValue(this.kvBytes);
    return this.#kv;
  }

  /**
   * The pair before the transaction that made this change; undefined if the key did not exist, or if what was
   * before has been compacted. Read from the store at each call.
   */
  prevKv(): KeyValue | undefined {
    return this.#previous.valueAt(this.key, this.modRevision - 1);
  }
}

/** The bytes of a delete event's pair: the key and the revision of its deletion. */
export function encodeDeletedKeyValue(key: string, modRevision: number, slab: ByteSlab): Uint8Array {
  const kv = { key: binaryStringBytes(key), createRevision: 0, modRevision, version: 0, value: emptyBytes, lease: 0n };
  return encodeKeyValue(kv, slab);
}
