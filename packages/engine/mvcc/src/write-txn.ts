import { type ByteSlab, binaryString, binaryStringBytes, emptyBytes } from "@conclave/base";
import type { KeyRange } from "./key-range.ts";
import { encodeKeyValue } from "./key-value.ts";
import { writeRevisionKey } from "./revision.ts";
import { encodeDeletedKeyValue, type PreviousValues, StoreEvent } from "./store-event.ts";
import type { StoreState } from "./store-state.ts";

/** The lessor as the store sees it: which keys hang on which lease is known there. */
export interface LeaseAttachments {
  /** Whether a lease exists. */
  exists(lease: bigint): boolean;
  /** Hangs a key, a binary string, on a lease that exists. */
  attach(lease: bigint, key: string): void;
  /** Takes a key off a lease; the lease may have ceased to exist. */
  detach(lease: bigint, key: string): void;
}

/** What a write transaction works on. */
export interface WriteTxnParts {
  readonly state: StoreState;
  readonly leases: LeaseAttachments;
  readonly slab: ByteSlab;
  readonly previous: PreviousValues;
}

const tombstoneSubBytes = 18;
const valueSubBytes = 17;

/**
 * The changes of one transaction, which share one new revision. It takes effect change by change, and nothing
 * is undone: the caller has checked all that can fail before the first change.
 */
export class WriteTxn {
  /** The revision that the changes make. */
  readonly main: number;
  /** The changes so far. */
  readonly events: StoreEvent[] = [];
  readonly #parts: WriteTxnParts;

  constructor(parts: WriteTxnParts) {
    this.#parts = parts;
    this.main = parts.state.currentRevision + 1;
  }

  /** The newest revision as a read inside the transaction sees it. */
  get revision(): number {
    return this.events.length > 0 ? this.main : this.main - 1;
  }

  /** Sets a key. */
  put(keyBytes: Uint8Array, value: Uint8Array, lease: bigint): void {
    const { state, slab } = this.#parts;
    const key = binaryString(keyBytes);
    const revision = { main: this.main, sub: this.events.length };
    const { createRevision, version, oldLease } = state.index.put(key, revision, lease);
    const kv = { key: keyBytes, createRevision, modRevision: this.main, version, value, lease };
    const kvBytes = encodeKeyValue(kv, slab);
    const revisionKey = slab.take(valueSubBytes);
    writeRevisionKey(revisionKey, revision);
    state.backend.put("key", revisionKey, kvBytes);
    this.#moveLease(key, oldLease, lease);
    this.#record("put", key, kvBytes);
  }

  /** The keys of a range that are live at this point of the transaction, ascending. */
  liveKeys(range: KeyRange): string[] {
    const keys: string[] = [];
    this.#parts.state.index.scanNewest(range, (key) => {
      keys.push(key);
      return true;
    });
    return keys;
  }

  /** Deletes a key if it is live; says whether it was. */
  delete(key: string): boolean {
    const { state, slab } = this.#parts;
    const history = state.index.get(key);
    if (history?.isLive !== true) return false;
    const oldLease = history.lease;
    const revision = { main: this.main, sub: this.events.length };
    const revisionKey = slab.take(tombstoneSubBytes);
    writeRevisionKey(revisionKey, revision);
    const keyBytes = binaryStringBytes(key);
    const tombstone = { key: keyBytes, createRevision: 0, modRevision: 0, version: 0, value: emptyBytes, lease: 0n };
    state.backend.put("key", revisionKey, encodeKeyValue(tombstone, slab));
    state.index.delete(key, revision);
    this.#moveLease(key, oldLease, 0n);
    this.#record("delete", key, encodeDeletedKeyValue(key, this.main, slab));
    return true;
  }

  #moveLease(key: string, from: bigint, to: bigint): void {
    if (from === to) return;
    if (from !== 0n) this.#parts.leases.detach(from, key);
    if (to !== 0n) this.#parts.leases.attach(to, key);
  }

  #record(type: "put" | "delete", key: string, kvBytes: Uint8Array): void {
    this.events.push(new StoreEvent({ type, key, modRevision: this.main, kvBytes }, this.#parts.previous));
  }
}
