/**
 * @module What can be said of a request without looking at the store: the checks that a member makes before it
 * proposes or answers anything, with the errors that go over the wire.
 */
import { binaryString } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import { type KeyInterval, KeyIntervals } from "./key-intervals.ts";

const sortOrders: ReadonlySet<number> = new Set(Object.values(SortOrder));
const sortTargets: ReadonlySet<number> = new Set(Object.values(SortTarget));

/** @throws WireError `EmptyKey` or `InvalidSortOption` */
export function checkRange(request: RangeRequest): void {
  checkKey(request.key);
  if (!sortOrders.has(request.sortOrder) || !sortTargets.has(request.sortTarget))
    throw new WireError("InvalidSortOption");
}

/** @throws WireError `EmptyKey`, `ValueProvided` or `LeaseProvided` */
export function checkPut(request: PutRequest): void {
  checkKey(request.key);
  if (request.ignoreValue && request.value.length > 0) throw new WireError("ValueProvided");
  if (request.ignoreLease && request.lease !== 0n) throw new WireError("LeaseProvided");
}

/** @throws WireError `EmptyKey` */
export function checkDeleteRange(request: DeleteRangeRequest): void {
  checkKey(request.key);
}

/**
 * Checks a transaction with all that is nested in it.
 *
 * @param maxTxnOps - most compares, most operations if it succeeds and most if it fails; a nested transaction may
 * have as many fewer as the one around it has
 * @throws WireError `TooManyOps`, `DuplicateKey` if a key would be put twice or both put and deleted, or
 * what the checks of its operations throw
 */
export function checkTxn(request: TxnRequest, maxTxnOps: number): void {
  checkOperations(request, maxTxnOps);
  collectChanges(request.success);
  collectChanges(request.failure);
}

function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw new WireError("EmptyKey");
}

function checkOperations(request: TxnRequest, maxTxnOps: number): void {
  const { compare, success, failure } = request;
  const operations = Math.max(compare.length, success.length, failure.length);
  if (operations > maxTxnOps) throw new WireError("TooManyOps");
  for (const { key } of compare) checkKey(key);
  for (const operation of [...success, ...failure]) checkOperation(operation, maxTxnOps - operations);
}

function checkOperation({ request }: RequestOp, maxTxnOps: number): void {
  switch (request?.$case) {
    case "requestRange":
      checkRange(request.value);
      return;
    case "requestPut":
      checkPut(request.value);
      return;
    case "requestDeleteRange":
      checkDeleteRange(request.value);
      return;
    case "requestTxn":
      checkOperations(request.value, maxTxnOps);
      return;
    case undefined:
      throw new WireError("KeyNotFound"); // An operation that is none: so does etcd.
  }
}

/** The keys that the operations of a branch may change. */
interface Changes {
  readonly puts: ReadonlySet<string>;
  readonly deletes: KeyIntervals;
}

/**
 * Collects what a branch may change and refuses it if one key could be put twice, or put and deleted. The branches
 * of a nested transaction exclude each other. Nested transactions are looked at in order, and the puts of one
 * are not held against deletions of later ones: so is it in etcd, which accepts that.
 */
function collectChanges(operations: readonly RequestOp[]): Changes {
  const deletes = new KeyIntervals(operations.flatMap(deletedInterval));
  const puts = new Set<string>();
  for (const { request } of operations) {
    if (request?.$case !== "requestTxn") continue;
    const success = collectChanges(request.value.success);
    const failure = collectChanges(request.value.failure);
    addPuts(puts, deletes, new Set([...success.puts, ...failure.puts]));
    deletes.addAll(success.deletes);
    deletes.addAll(failure.deletes);
  }
  for (const { request } of operations)
    if (request?.$case === "requestPut") addPuts(puts, deletes, [binaryString(request.value.key)]);
  return { puts, deletes };
}

function addPuts(puts: Set<string>, deletes: KeyIntervals, added: Iterable<string>): void {
  for (const key of added) {
    if (puts.has(key) || deletes.has(key)) throw new WireError("DuplicateKey");
    puts.add(key);
  }
}

/** A deletion "to the end of the key space" has an end of `\0` and so, as in etcd, overlaps with nothing here. */
function deletedInterval({ request }: RequestOp): KeyInterval[] {
  if (request?.$case !== "requestDeleteRange") return [];
  const start = binaryString(request.value.key);
  const { rangeEnd } = request.value;
  return [{ start, end: rangeEnd.length === 0 ? `${start}\0` : binaryString(rangeEnd) }];
}
