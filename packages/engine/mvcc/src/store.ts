/**
 * @module The multi-version store: what a committed command does to keys, and what can be read of their history.
 *
 * Applying is deterministic: the same requests in the same order give the same bytes on every member. Nothing
 * here knows a clock, a disk or a peer. Writes go to the backend, which reads see at once; the index of keys
 * lives in memory and is rebuilt from the backend.
 */
import { type Backend, ByteSlab, binaryString } from "@conclave/base";
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import { Compaction } from "./compaction.ts";
import { bucketsHashSlices } from "./hash-buckets.ts";
import { CompactionHashes, hashKvSlices, type KvHash } from "./hash-kv.ts";
import { type HistoryQuery, type HistorySlice, readHistory } from "./history.ts";
import { KeyIndex } from "./key-index.ts";
import { keyRange } from "./key-range.ts";
import { PairCache } from "./pair-cache.ts";
import { decodedSlices, encodedSlices, type RangeTotals, rangeOne, rangeSlices } from "./range.ts";
import { attachKeys, restoreIndex } from "./restore.ts";
import type { PreviousValues, StoreEvent } from "./store-event.ts";
import { revisionHeader, type StoreState, valueAt } from "./store-state.ts";
import { type ChosenTxn, checkChosen, checkKept, checkLease, chooseBranches } from "./txn.ts";
import { type LeaseAttachments, WriteTxn, type WriteTxnParts } from "./write-txn.ts";

/** What a store is built on. */
export interface MvccStoreOptions {
  /** Where revisions are kept: the buckets "key" and, for marks of compactions, "meta". */
  readonly backend: Backend;
  /** The lessor, with its leases loaded: keys found in the backend are attached to theirs at once. */
  readonly leases: LeaseAttachments;
}

/** What a store has done since it was opened; for metrics, read when asked. */
export interface MvccStats {
  /** Ranges read, in transactions too. */
  readonly ranges: number;
  /** Keys put, in transactions too. */
  readonly puts: number;
  /** Deletions of a key or a range, in transactions too. */
  readonly deletes: number;
  /** Transactions of more than one operation. */
  readonly txns: number;
  /** Bytes of keys and values that were put. */
  readonly putBytes: number;
  /** Entries that compactions deleted. */
  readonly compacted: number;
}

/** Called after each transaction that changed something, with its revision and its changes in order. */
export type CommitListener = (revision: number, events: readonly StoreEvent[]) => void;

/**
 * The store. Responses carry headers with the revision only; the ids and the term of the outermost header are
 * the server's to fill in.
 */
export interface MvccStore {
  /** Revision of the newest transaction; 1 in a fresh store. */
  readonly currentRevision: number;
  /** The oldest revision that can be read; -1 before the first compaction. */
  readonly compactRevision: number;
  /** Keys in the index, deleted but not yet compacted ones included. */
  readonly keyCount: number;
  /** What has been done. */
  readonly stats: MvccStats;

  /**
   * Reads keys at a revision.
   *
   * @throws {@link MvccError} `COMPACTED` or `FUTURE_REVISION`
   */
  range(request: RangeRequest): RangeResponse;
  /**
   * The same in slices of about a millisecond, all reading the revision that is current now. An empty slice only
   * gives the caller a turn.
   *
   * @throws {@link MvccError} `COMPACTED` or `FUTURE_REVISION`, from the first slice on
   */
  rangeSlices(request: RangeRequest): Generator<readonly KeyValue[], RangeTotals>;
  /** The same to be sent: slices are the fields `kvs` of an encoded RangeResponse. */
  encodedRangeSlices(request: RangeRequest): Generator<Uint8Array, RangeTotals>;
  /** @throws {@link MvccError} `LEASE_NOT_FOUND`; `KEY_NOT_FOUND` with ignore_value or ignore_lease */
  put(request: PutRequest): PutResponse;
  /** Deletes the live keys of a range, in one revision if there are any. */
  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse;
  /**
   * Executes a transaction, which may be nested and may only read.
   *
   * @throws {@link MvccError} of the first operation that cannot be done; then nothing was written
   */
  txn(request: TxnRequest): TxnResponse;
  /**
   * Deletes the given keys, binary strings, in ascending order and in one revision: what revoking a lease does.
   *
   * @returns how many of them were live
   */
  deleteKeys(keys: Iterable<string>): number;

  /**
   * Makes all below a revision unreadable at once; {@link MvccStore.compactStep} deletes it.
   *
   * @throws {@link MvccError} `COMPACTED` if not above the last one; `FUTURE_REVISION` if above the newest
   */
  compact(revision: number): void;
  /**
   * Goes on with a compaction by looking at some entries.
   *
   * @param limit - most entries to look at; default 1000
   * @returns whether more work remains
   */
  compactStep(limit?: number): boolean;

  /** The checksum over all buckets, in slices. Writes between slices may or may not be covered. */
  hash(): Generator<undefined, number>;
  /**
   * The checksum over the history up to a revision (0: the current one), in slices. Equal on all members.
   *
   * @throws {@link MvccError} `COMPACTED` or `FUTURE_REVISION`, from the first slice on
   */
  hashKv(revision: number): Generator<undefined, KvHash>;
  /** What the last ten compactions of this life left, the oldest first: the checksum of what stood before each. */
  compactionHashes(): readonly KvHash[];

  /**
   * Takes over the content of a backend that was replaced as a whole, in slices of about a millisecond, and attaches
   * keys to leases: the lessor must have been reloaded, and so know of none. It is the history of the same cluster, so
   * a read in slices that began before goes on after it, or ends as `COMPACTED`. A compaction that was cut short is
   * taken up by the next {@link MvccStore.compactStep}.
   *
   * Until the last slice, which alone moves the current revision, nothing may be written and no read begun.
   */
  reload(): Generator<void, void>;

  /** Registers the one who is told of every commit. There is one; a second call replaces it. */
  onCommit(listener: CommitListener): void;
  /**
   * Reads a part of the history.
   *
   * @throws {@link MvccError} `COMPACTED` if it begins below the compact revision
   */
  eventsBetween(query: HistoryQuery): HistorySlice;
  /** The pair of a key, a binary string, at a revision; undefined if there was none or that has been compacted. */
  valueAt(key: string, revision: number): KeyValue | undefined;
}

const compactionBatch = 1_000;

/**
 * Opens the store that a backend holds: rebuilds the index, attaches keys to leases and takes up a compaction
 * that was cut short.
 */
export function createMvccStore(options: MvccStoreOptions): MvccStore {
  return new Store(options);
}

class Store implements MvccStore {
  readonly #state: StoreState;
  readonly #leases: LeaseAttachments;
  readonly #hashes = new CompactionHashes();
  readonly #compaction: Compaction;
  readonly #previous: PreviousValues = this;
  readonly #txnParts: WriteTxnParts;
  #listener: CommitListener | undefined;
  readonly stats = { ranges: 0, puts: 0, deletes: 0, txns: 0, putBytes: 0, compacted: 0 };

  constructor({ backend, leases }: MvccStoreOptions) {
    const pairs = new PairCache();
    this.#state = { backend, pairs, index: new KeyIndex(), currentRevision: 1, compactRevision: -1 };
    this.#leases = leases;
    this.#compaction = new Compaction(this.#state, this.#hashes);
    this.#txnParts = { state: this.#state, leases, slab: new ByteSlab(), previous: this.#previous };
    drainSteps(this.reload());
  }

  get currentRevision(): number {
    return this.#state.currentRevision;
  }

  get compactRevision(): number {
    return this.#state.compactRevision;
  }

  get keyCount(): number {
    return this.#state.index.size;
  }

  range(request: RangeRequest): RangeResponse {
    return this.#range(request, this.#state.currentRevision);
  }

  rangeSlices(request: RangeRequest): Generator<readonly KeyValue[], RangeTotals> {
    this.stats.ranges++;
    return rangeSlices(this.#state, request, { current: this.#state.currentRevision, form: decodedSlices });
  }

  encodedRangeSlices(request: RangeRequest): Generator<Uint8Array, RangeTotals> {
    this.stats.ranges++;
    return rangeSlices(this.#state, request, { current: this.#state.currentRevision, form: encodedSlices });
  }

  put(request: PutRequest): PutResponse {
    // In this order outside a transaction, in the other one inside: both are etcd's.
    checkLease(this.#leases, request);
    checkKept(this.#state, request);
    return this.#write((txn) => this.#put(txn, request));
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    return this.#write((txn) => this.#deleteRange(txn, request));
  }

  txn(request: TxnRequest): TxnResponse {
    const chosen = chooseBranches(this.#state, request);
    checkChosen(this.#state, this.#leases, chosen);
    if (chosen.operations.length > 1) this.stats.txns++;
    return this.#write((txn) => {
      const responses = this.#execute(txn, chosen);
      return { header: revisionHeader(txn.revision), succeeded: chosen.succeeded, responses };
    });
  }

  deleteKeys(keys: Iterable<string>): number {
    const ascending = [...keys].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
    return this.#write((txn) => ascending.filter((key) => txn.delete(key)).length);
  }

  compact(revision: number): void {
    this.#compaction.schedule(revision);
  }

  compactStep(limit: number = compactionBatch): boolean {
    const goesOn = this.#compaction.step(limit);
    this.stats.compacted = this.#compaction.deleted;
    return goesOn;
  }

  hash(): Generator<undefined, number> {
    return bucketsHashSlices(this.#state.backend);
  }

  hashKv(revision: number): Generator<undefined, KvHash> {
    return hashKvSlices(this.#state, this.#hashes, revision);
  }

  compactionHashes(): readonly KvHash[] {
    return this.#hashes.all();
  }

  onCommit(listener: CommitListener): void {
    this.#listener = listener;
  }

  eventsBetween(query: HistoryQuery): HistorySlice {
    return readHistory(this.#state, this.#previous, query);
  }

  valueAt(key: string, revision: number): KeyValue | undefined {
    return valueAt(this.#state, key, revision);
  }

  *reload(): Generator<void, void> {
    // First, so that reads and watchers of what is not there any more find out before they look for it.
    this.#compaction.restore();
    const { index, newestRevision } = yield* restoreIndex(this.#state.backend);
    yield* attachKeys(index, this.#leases);
    this.#state.pairs.clear();
    this.#state.index = index;
    this.#state.currentRevision = Math.max(1, newestRevision, this.#state.compactRevision);
    this.#compaction.resume();
  }

  /** Runs a write transaction; its changes, if any, become the new current revision. */
  #write<T>(change: (txn: WriteTxn) => T): T {
    const txn = new WriteTxn(this.#txnParts);
    const result = change(txn);
    if (txn.events.length > 0) {
      this.#state.currentRevision = txn.main;
      this.#listener?.(txn.main, txn.events);
    }
    return result;
  }

  #range(request: RangeRequest, current: number): RangeResponse {
    this.stats.ranges++;
    const { kvs, totals } =
      request.rangeEnd.length === 0
        ? rangeOne(this.#state, request, current)
        : drain(rangeSlices(this.#state, request, { current, form: decodedSlices }));
    return { header: revisionHeader(current), kvs, more: totals.more, count: totals.count };
  }

  #put(txn: WriteTxn, request: PutRequest): PutResponse {
    const { prevKv: wantsPrevious, ignoreValue, ignoreLease } = request;
    const previous =
      wantsPrevious || ignoreValue || ignoreLease
        ? valueAt(this.#state, binaryString(request.key), txn.revision)
        : undefined;
    // `previous` is missing only if this very transaction has deleted the key, which etcd does not survive.
    const value = ignoreValue ? (previous?.value ?? request.value) : request.value;
    const lease = ignoreLease ? (previous?.lease ?? request.lease) : request.lease;
    txn.put(request.key, value, lease);
    this.stats.puts++;
    this.stats.putBytes += request.key.length + value.length;
    return { header: revisionHeader(txn.revision), prevKv: wantsPrevious ? previous : undefined };
  }

  #deleteRange(txn: WriteTxn, request: DeleteRangeRequest): DeleteRangeResponse {
    const keys = txn.liveKeys(keyRange(request.key, request.rangeEnd));
    const prevKvs = request.prevKv ? keys.flatMap((key) => valueAt(this.#state, key, txn.revision) ?? []) : [];
    for (const key of keys) txn.delete(key);
    this.stats.deletes++;
    return { header: revisionHeader(txn.revision), deleted: keys.length, prevKvs };
  }

  #execute(txn: WriteTxn, chosen: ChosenTxn): ResponseOp[] {
    let nested = 0;
    return chosen.operations.map(({ request }) => {
      const inner = request?.$case === "requestTxn" ? chosen.nested[nested++] : undefined;
      return { response: this.#executeOne(txn, request, inner) };
    });
  }

  #executeOne(txn: WriteTxn, request: RequestOp["request"], nested: ChosenTxn | undefined): ResponseOp["response"] {
    switch (request?.$case) {
      case "requestRange":
        return { $case: "responseRange", value: this.#range(request.value, txn.revision) };
      case "requestPut":
        return { $case: "responsePut", value: this.#put(txn, request.value) };
      case "requestDeleteRange":
        return { $case: "responseDeleteRange", value: this.#deleteRange(txn, request.value) };
      case "requestTxn":
        return nested === undefined ? undefined : { $case: "responseTxn", value: this.#nested(txn, nested) };
      case undefined:
        return undefined;
    }
  }

  /** The revision stands in the header of the outermost transaction only. */
  #nested(txn: WriteTxn, chosen: ChosenTxn): TxnResponse {
    return { header: revisionHeader(0), succeeded: chosen.succeeded, responses: this.#execute(txn, chosen) };
  }
}

function drainSteps(steps: Generator<void, void>): void {
  while (steps.next().done !== true);
}

function drain(slices: Generator<readonly KeyValue[], RangeTotals>): { kvs: KeyValue[]; totals: RangeTotals } {
  const kvs: KeyValue[] = [];
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return { kvs, totals: slice.value };
    for (const kv of slice.value) kvs.push(kv);
  }
}
