/**
 * @module Transactions: which branch each (nested) transaction takes is decided on the state before the first
 * change, then everything that can fail in the chosen branches is checked, and only then the first change is
 * made. So a failing transaction writes nothing.
 */
import { binaryString, compareBytes, emptyBytes } from "@conclave/base";
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import type { KeyHistory } from "./key-history.ts";
import { keyRange } from "./key-range.ts";
import { MvccError } from "./mvcc-error.ts";
import { readKeyValue, type StoreState } from "./store-state.ts";
import type { LeaseAttachments } from "./write-txn.ts";

/** A transaction whose branches are chosen, with those of its nested ones in order. */
export interface ChosenTxn {
  readonly succeeded: boolean;
  readonly operations: readonly RequestOp[];
  readonly nested: readonly ChosenTxn[];
}

/** Evaluates the compares of a transaction and of the nested ones in the branches taken. */
export function chooseBranches(state: StoreState, request: TxnRequest): ChosenTxn {
  const succeeded = request.compare.every((compare) => holds(state, compare));
  const operations = succeeded ? request.success : request.failure;
  const nested = operations.flatMap(({ request: operation }) =>
    operation?.$case === "requestTxn" ? [chooseBranches(state, operation.value)] : [],
  );
  return { succeeded, operations, nested };
}

/**
 * Checks all that can fail in the chosen branches: first the puts of the whole tree, then its ranges.
 *
 * @throws {@link MvccError} of the first operation that would fail
 */
export function checkChosen(state: StoreState, leases: LeaseAttachments, chosen: ChosenTxn): void {
  forEachOperation(chosen, (operation) => {
    if (operation?.$case === "requestPut") {
      checkKept(state, operation.value);
      checkLease(leases, operation.value);
    }
  });
  forEachOperation(chosen, (operation) => {
    if (operation?.$case === "requestRange") checkRangeRevision(state, operation.value);
  });
}

/** @throws {@link MvccError} `LEASE_NOT_FOUND` if a put names a lease that does not exist */
export function checkLease(leases: LeaseAttachments, put: PutRequest): void {
  if (put.lease !== 0n && !leases.exists(put.lease)) throw new MvccError("LEASE_NOT_FOUND");
}

/** @throws {@link MvccError} `KEY_NOT_FOUND` if a put keeps the value or the lease of a key that does not exist */
export function checkKept(state: StoreState, put: PutRequest): void {
  if ((put.ignoreValue || put.ignoreLease) && state.index.get(binaryString(put.key))?.isLive !== true)
    throw new MvccError("KEY_NOT_FOUND");
}

function checkRangeRevision(state: StoreState, range: RangeRequest): void {
  if (range.revision === 0n) return;
  if (range.revision > state.currentRevision) throw new MvccError("FUTURE_REVISION");
  if (range.revision < state.compactRevision) throw new MvccError("COMPACTED");
}

function forEachOperation(chosen: ChosenTxn, visit: (operation: RequestOp["request"]) => void): void {
  let nested = 0;
  for (const { request } of chosen.operations) {
    visit(request);
    const inner = request?.$case === "requestTxn" ? chosen.nested[nested++] : undefined;
    if (inner !== undefined) forEachOperation(inner, visit);
  }
}

/** Whether a compare holds for every key of its range; a range without keys compares as one of zeros. */
function holds(state: StoreState, compare: Compare): boolean {
  let keys = 0;
  let held = true;
  state.index.scanNewest(keyRange(compare.key, compare.rangeEnd), (_key, history) => {
    keys++;
    held = holdsFor(state, compare, history);
    return held;
  });
  if (keys > 0) return held;
  // What does not exist has no value, not even an empty one.
  return compare.target !== CompareTarget.VALUE && matches(compare.result, compareScalar(compare, absent));
}

/** What is compared of a key beside its value. */
type Scalars = Pick<KeyHistory, "main" | "createRevision" | "version" | "lease">;

const absent: Scalars = { main: 0, createRevision: 0, version: 0, lease: 0n };

function holdsFor(state: StoreState, compare: Compare, newest: KeyHistory): boolean {
  if (compare.target !== CompareTarget.VALUE) return matches(compare.result, compareScalar(compare, newest));
  const operand = compare.targetUnion?.$case === "value" ? compare.targetUnion.value : emptyBytes;
  return matches(compare.result, compareBytes(readKeyValue(state, newest).value, operand));
}

/** Orders what the key has against the operand; an operand of another kind than the target counts as 0. */
function compareScalar(compare: Compare, actual: Scalars): number {
  const union = compare.targetUnion;
  switch (compare.target) {
    case CompareTarget.VERSION:
      return order(actual.version, union?.$case === "version" ? union.value : 0n);
    case CompareTarget.CREATE:
      return order(actual.createRevision, union?.$case === "createRevision" ? union.value : 0n);
    case CompareTarget.MOD:
      return order(actual.main, union?.$case === "modRevision" ? union.value : 0n);
    case CompareTarget.LEASE:
      return order(actual.lease, union?.$case === "lease" ? union.value : 0n);
    default:
      return 0; // A target of a later protocol version: etcd takes it as equal.
  }
}

/** A number and a bigint compare exactly. */
function order(actual: number | bigint, operand: bigint): number {
  return actual < operand ? -1 : actual > operand ? 1 : 0;
}

function matches(result: CompareResult, ordering: number): boolean {
  switch (result) {
    case CompareResult.EQUAL:
      return ordering === 0;
    case CompareResult.NOT_EQUAL:
      return ordering !== 0;
    case CompareResult.GREATER:
      return ordering > 0;
    case CompareResult.LESS:
      return ordering < 0;
    default:
      return true; // A result of a later protocol version: etcd lets it hold.
  }
}
