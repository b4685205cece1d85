/**
 * @module Range reads. Everything but the values stands in the index, so a read first selects revisions there,
 * filters, sorts and cuts them, and then fetches the values of what remains. Both steps run in slices between
 * which the caller may do other work; the revision read stays the same.
 */
import { ByteSlab, binaryString, compareBytes, emptyBytes } from "@conclave/base";
import {
  type RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import type { KeyRevision } from "./key-history.ts";
import { type KeyRange, keyRange } from "./key-range.ts";
import { decodeKeyValue, encodeKeyValue, joinKeyValues } from "./key-value.ts";
import { MvccError } from "./mvcc-error.ts";
import { saturate } from "./saturate.ts";
import { readableRevision, readKeyValue, readStored, readStoredOnce, type StoreState } from "./store-state.ts";

/** Index entries looked at in one slice, about a millisecond of work. */
const scanSlice = 8_192;
/** Most values read in one slice. */
const readSlice = 1_024;
/** Pairs of a read that are kept for the next one. */
const keptPairsMax = 4_096;
/** Bytes of values after which a slice ends. */
const readSliceBytes = 1024 * 1024;
const kvsTag = 0x12;

/** What a finished range read says beside the pairs. */
export interface RangeTotals {
  /** Keys of the range that exist at the revision read, whatever limit and filters say. */
  readonly count: number;
  /** Whether the limit cut off some of them. */
  readonly more: boolean;
}

/** In which form the pairs of a slice are handed out. */
export interface SliceForm<Slice> {
  /** A slice without pairs. */
  readonly empty: Slice;
  /** The slice of some pairs, given as they are stored. */
  of(stored: readonly Uint8Array[], keysOnly: boolean): Slice;
}

/** Pairs to be read. */
export const decodedSlices: SliceForm<readonly KeyValue[]> = {
  empty: [],
  of: (stored, keysOnly) => stored.map((bytes) => answerOf(decodeKeyValue(bytes), keysOnly)),
};

/** Pairs to be sent: the fields `kvs` of an encoded RangeResponse. */
export const encodedSlices: SliceForm<Uint8Array> = {
  empty: emptyBytes,
  of: (stored, keysOnly) => joinKeyValues(kvsTag, keysOnly ? withoutValues(stored) : stored),
};

function withoutValues(stored: readonly Uint8Array[]): Uint8Array[] {
  const slab = new ByteSlab();
  return stored.map((bytes) => encodeKeyValue(answerOf(decodeKeyValue(bytes), true), slab));
}

/** A selected revision; it keeps the pair, as it is stored, and its value if sorting had to read it. */
interface Selected extends KeyRevision {
  readonly key: string;
  stored: Uint8Array | undefined;
  value: Uint8Array;
}

/** A request as it will be executed. */
interface Plan {
  readonly range: KeyRange;
  readonly main: number;
  /** Most pairs answered; Infinity for all. */
  readonly limit: number;
  /** Revisions after which selecting stops and only counting goes on. */
  readonly selectLimit: number;
  readonly request: RangeRequest;
}

/**
 * Reads a range slice by slice.
 *
 * @param options - the revision that the reader sees as the newest, and the form of the slices
 * @returns a generator of pairs in the order asked for; an empty slice only gives the caller a turn
 * @throws {@link MvccError} `FUTURE_REVISION`; `COMPACTED`, also between slices
 */
export function* rangeSlices<Slice>(
  state: StoreState,
  request: RangeRequest,
  { current, form }: { readonly current: number; readonly form: SliceForm<Slice> },
): Generator<Slice, RangeTotals> {
  const plan = planOf(state, request, current);
  const { selected, count } = yield* inTurns(select(state, plan), form.empty);
  const kept = selected.filter((revision) => passesFilters(revision, request));
  if (needsSort(request)) yield* inTurns(sort(state, plan, kept), form.empty);
  const more = kept.length > plan.limit;
  if (more) kept.length = plan.limit;
  for (let at = 0; at < kept.length; ) {
    if (at > 0) yield* inTurns(giveTurn(state, plan), form.empty);
    const stored = readFrom(state, kept, at);
    at += stored.length;
    yield form.of(stored, request.keysOnly);
  }
  return { count, more };
}

/** Reads one key, the most frequent request, without the machinery of slices. */
export function rangeOne(
  state: StoreState,
  request: RangeRequest,
  current: number,
): { kvs: KeyValue[]; totals: RangeTotals } {
  const main = readableRevision(state, saturate(request.revision), current);
  const revision = state.index.get(binaryString(request.key))?.liveAt(main);
  if (revision === undefined) return { kvs: [], totals: { count: 0, more: false } };
  const wanted = !request.countOnly && passesFilters(revision, request);
  return {
    kvs: wanted ? [answerOf(readKeyValue(state, revision), request.keysOnly)] : [],
    totals: { count: 1, more: false },
  };
}

function planOf(state: StoreState, request: RangeRequest, current: number): Plan {
  const asked = saturate(request.limit);
  const limit = asked > 0 ? asked : Number.POSITIVE_INFINITY;
  // One more than asked tells whether there is more. Sorting and filtering need all.
  const selectsAll = request.sortOrder !== SortOrder.NONE || hasFilters(request);
  return {
    range: keyRange(request.key, request.rangeEnd),
    main: readableRevision(state, saturate(request.revision), current),
    limit,
    selectLimit: request.countOnly ? 0 : selectsAll ? Number.POSITIVE_INFINITY : limit + 1,
    request,
  };
}

/** Runs a step of a read; whenever it lets others work, so does the read. */
function* inTurns<Slice, Result>(step: Generator<undefined, Result>, empty: Slice): Generator<Slice, Result> {
  for (;;) {
    const { done, value } = step.next();
    if (done === true) return value;
    yield empty;
  }
}

function* select(state: StoreState, plan: Plan): Generator<undefined, { selected: Selected[]; count: number }> {
  const selected: Selected[] = [];
  let count = 0;
  let next: string | undefined = plan.range.start;
  while (next !== undefined) {
    let seen = 0;
    const from: string = next;
    next = undefined;
    state.index.scan({ start: from, end: plan.range.end }, (key, history) => {
      if (seen === scanSlice) {
        next = key;
        return false;
      }
      seen++;
      const revision = history.liveAt(plan.main);
      if (revision === undefined) return true;
      count++;
      if (selected.length < plan.selectLimit) selected.push(selectedOf(key, revision));
      return true;
    });
    if (next !== undefined) yield* giveTurn(state, plan);
  }
  return { selected, count };
}

function selectedOf(key: string, revision: KeyRevision): Selected {
  const { main, sub, createRevision, version } = revision;
  return { key, main, sub, createRevision, version, stored: undefined, value: emptyBytes };
}

/** The pairs of one slice, as they are stored; at least one. */
function readFrom(state: StoreState, selected: readonly Selected[], start: number): Uint8Array[] {
  const slice: Uint8Array[] = [];
  const read = selected.length <= keptPairsMax ? readStored : readStoredOnce;
  let bytes = 0;
  for (let at = start; at < selected.length && slice.length < readSlice && bytes < readSliceBytes; at++) {
    const revision = selected[at] as Selected;
    const stored = revision.stored ?? read(state, revision);
    slice.push(stored);
    bytes += stored.length;
  }
  return slice;
}

function answerOf(kv: KeyValue, keysOnly: boolean): KeyValue {
  return keysOnly ? { ...kv, value: emptyBytes } : kv;
}

/** Lets the caller do other work, in which the revision being read may be compacted. */
function* giveTurn(state: StoreState, plan: Plan): Generator<undefined, void> {
  yield;
  if (plan.main < state.compactRevision) throw new MvccError("COMPACTED");
}

function hasFilters(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0n ||
    request.maxModRevision !== 0n ||
    request.minCreateRevision !== 0n ||
    request.maxCreateRevision !== 0n
  );
}

/** Compares numbers with bigints, which is exact; a bound of 0 is none. */
function passesFilters(revision: KeyRevision, request: RangeRequest): boolean {
  return (
    (request.maxModRevision === 0n || revision.main <= request.maxModRevision) &&
    (request.minModRevision === 0n || revision.main >= request.minModRevision) &&
    (request.maxCreateRevision === 0n || revision.createRevision <= request.maxCreateRevision) &&
    (request.minCreateRevision === 0n || revision.createRevision >= request.minCreateRevision)
  );
}

/** The index hands out keys in ascending order. A target other than the key is sorted even if no order is asked for. */
function needsSort(request: RangeRequest): boolean {
  return request.sortTarget !== SortTarget.KEY || request.sortOrder === SortOrder.DESCEND;
}

/** Sorts in place; equal ones stay in ascending order of their keys. */
function* sort(state: StoreState, plan: Plan, selected: Selected[]): Generator<undefined, void> {
  const { sortTarget, sortOrder } = plan.request;
  if (sortTarget === SortTarget.VALUE) yield* readValues(state, plan, selected);
  const ascending = comparators.get(sortTarget);
  if (ascending === undefined) return; // A target of a later protocol version: keys stay in order.
  selected.sort(sortOrder === SortOrder.DESCEND ? (left, right) => ascending(right, left) : ascending);
}

function* readValues(state: StoreState, plan: Plan, selected: readonly Selected[]): Generator<undefined, void> {
  for (const [at, revision] of selected.entries()) {
    if (at > 0 && at % readSlice === 0) yield* giveTurn(state, plan);
    revision.stored = readStoredOnce(state, revision);
    revision.value = decodeKeyValue(revision.stored).value;
  }
}

type Comparator = (left: Selected, right: Selected) => number;

const comparators: ReadonlyMap<SortTarget, Comparator> = new Map<SortTarget, Comparator>([
  [SortTarget.KEY, (left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0)],
  [SortTarget.VERSION, (left, right) => left.version - right.version],
  [SortTarget.CREATE, (left, right) => left.createRevision - right.createRevision],
  [SortTarget.MOD, (left, right) => left.main - right.main],
  [SortTarget.VALUE, (left, right) => compareBytes(left.value, right.value)],
]);
