/**
 * @module The requests behind locks and elections, in the layout of etcd's Go package `concurrency`, so that whoever
 * queues through these services and whoever queues by himself exclude each other.
 *
 * ```
 * <name>/<lease id in hex>      one key for each who owns or waits; it goes when its lease does
 *        ▲ the lowest create revision owns; every other one waits until those before it are deleted
 * ```
 */
import { concatBytes, emptyBytes, prefixEnd, utf8 } from "@conclave/base";
import {
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  RangeRequest,
  type RequestOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
  WatchCreateRequest,
} from "@conclave/protocol/etcdserverpb";

/** What the keys of all who queue for a name start with. */
export function queuePrefix(name: Uint8Array): Uint8Array {
  return concatBytes([name, utf8("/")]);
}

/** The key of a lease in the queue of a name. */
export function queueKey(name: Uint8Array, lease: bigint): Uint8Array {
  return concatBytes([queuePrefix(name), utf8(lease.toString(16))]);
}

/** Reads the owner: the first of a queue, by create revision. */
export function readOwner(name: Uint8Array): RangeRequest {
  const key = queuePrefix(name);
  return RangeRequest.fromPartial({
    key,
    rangeEnd: prefixEnd(key),
    limit: 1n,
    sortOrder: SortOrder.ASCEND,
    sortTarget: SortTarget.CREATE,
  });
}

/** Reads the last of those who joined a queue before a revision. */
export function readPredecessor(name: Uint8Array, revision: number): RangeRequest {
  return { ...readOwner(name), sortOrder: SortOrder.DESCEND, maxCreateRevision: BigInt(revision - 1) };
}

/** Reads one key. */
export function readKey(key: Uint8Array): RangeRequest {
  return RangeRequest.fromPartial({ key });
}

/** A read as part of a transaction. */
export function rangeOp(request: RangeRequest): RequestOp {
  return { request: { $case: "requestRange", value: request } };
}

/** A put as part of a transaction. */
export function putOp(key: Uint8Array, value: Uint8Array, lease: bigint): RequestOp {
  const put = { key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { request: { $case: "requestPut", value: put } };
}

/** A deletion of one key as part of a transaction. */
export function deleteOp(key: Uint8Array): RequestOp {
  return { request: { $case: "requestDeleteRange", value: { key, rangeEnd: emptyBytes, prevKv: false } } };
}

/** What a transaction does if a key is the one that was created at a revision, and if not. Revision 0: it is missing. */
export function ifCreatedAt(
  key: Uint8Array,
  revision: bigint,
  { success, failure = [] }: { readonly success: RequestOp[]; readonly failure?: RequestOp[] },
): TxnRequest {
  const compare = {
    result: CompareResult.EQUAL,
    target: CompareTarget.CREATE,
    key,
    targetUnion: { $case: "createRevision" as const, value: revision },
    rangeEnd: emptyBytes,
  };
  return { compare: [compare], success, failure };
}

/** Watches a key, or what starts with a prefix, from a revision on. */
export function watchFrom(key: Uint8Array, revision: number, rangeEnd: Uint8Array = emptyBytes): WatchCreateRequest {
  return WatchCreateRequest.fromPartial({ key, rangeEnd, startRevision: BigInt(revision) });
}
