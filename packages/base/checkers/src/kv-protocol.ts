/** @module Between the operations of a history and the messages of the etcd protocol. */
import { binaryString, binaryStringBytes, emptyBytes } from "@conclave/base";
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  DeleteRangeRequest,
  type DeleteRangeResponse,
  LeaseRevokeRequest,
  type LeaseRevokeResponse,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  TxnRequest,
  type TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType as EventType, type KeyValue } from "@conclave/protocol/mvccpb";
import type {
  KvAnswer,
  KvCompare,
  KvDelete,
  KvEvent,
  KvGet,
  KvItem,
  KvOperation,
  KvPut,
  KvResult,
  KvRevoke,
  KvTxn,
  KvTxnOperation,
} from "./kv-operation.ts";

/** A request of the etcd protocol; `kind` is the name of the method. */
export type KvRequest =
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "range"; readonly request: RangeRequest }
  | { readonly kind: "deleteRange"; readonly request: DeleteRangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "leaseRevoke"; readonly request: LeaseRevokeRequest };

/** A response of the etcd protocol to a {@link KvRequest}. */
export type KvResponse = PutResponse | RangeResponse | DeleteRangeResponse | TxnResponse | LeaseRevokeResponse;

/** A method of a service, as far as it is needed here: `raw` of a client of `@conclave/client` has such. */
export type KvMethod<Request, Response, Options> = (request: Request, options: Options) => Promise<Response>;

/** The services of a member that operations are sent to; `Options` are passed on to each call. */
export interface KvServices<Options> {
  /** Keys and values. */
  readonly kv: {
    readonly put: KvMethod<PutRequest, PutResponse, Options>;
    readonly range: KvMethod<RangeRequest, RangeResponse, Options>;
    readonly deleteRange: KvMethod<DeleteRangeRequest, DeleteRangeResponse, Options>;
    readonly txn: KvMethod<TxnRequest, TxnResponse, Options>;
  };
  /** Leases. */
  readonly lease: { readonly leaseRevoke: KvMethod<LeaseRevokeRequest, LeaseRevokeResponse, Options> };
}

/**
 * Sends an operation as the request that it stands for.
 *
 * @throws whatever the call does
 */
export async function sendOperation<Options>(
  { kv, lease }: KvServices<Options>,
  operation: KvOperation,
  options: Options,
): Promise<KvAnswer> {
  const request = kvRequest(operation);
  switch (request.kind) {
    case "put":
      return kvAnswer(await kv.put(request.request, options));
    case "range":
      return kvAnswer(await kv.range(request.request, options));
    case "deleteRange":
      return kvAnswer(await kv.deleteRange(request.request, options));
    case "txn":
      return kvAnswer(await kv.txn(request.request, options));
    case "leaseRevoke":
      return kvAnswer(await lease.leaseRevoke(request.request, options));
  }
}

/** The request that an operation stands for. */
export function kvRequest(operation: KvOperation): KvRequest {
  switch (operation.kind) {
    case "put":
      return { kind: "put", request: putRequest(operation) };
    case "get":
      return { kind: "range", request: rangeRequest(operation) };
    case "delete":
      return { kind: "deleteRange", request: deleteRequest(operation) };
    case "txn":
      return { kind: "txn", request: txnRequest(operation) };
    case "revoke":
      return { kind: "leaseRevoke", request: revokeRequest(operation) };
  }
}

function putRequest({ key, value, lease }: KvPut): PutRequest {
  return PutRequest.fromPartial({
    key: binaryStringBytes(key),
    value: binaryStringBytes(value),
    lease: BigInt(lease ?? 0),
  });
}

const sortTargets = {
  key: SortTarget.KEY,
  version: SortTarget.VERSION,
  create: SortTarget.CREATE,
  mod: SortTarget.MOD,
  value: SortTarget.VALUE,
} as const;

function rangeRequest(get: KvGet): RangeRequest {
  const { key, rangeEnd, revision, limit, sort, maxCreateRevision, serializable, keysOnly, countOnly } = get;
  return RangeRequest.fromPartial({
    key: binaryStringBytes(key),
    rangeEnd: optionalBytes(rangeEnd),
    revision: BigInt(revision ?? 0),
    limit: BigInt(limit ?? 0),
    sortTarget: sortTargets[sort?.by ?? "key"],
    sortOrder: sort === undefined ? SortOrder.NONE : sort.descending === true ? SortOrder.DESCEND : SortOrder.ASCEND,
    maxCreateRevision: BigInt(maxCreateRevision ?? 0),
    serializable: serializable ?? false,
    keysOnly: keysOnly ?? false,
    countOnly: countOnly ?? false,
  });
}

function deleteRequest({ key, rangeEnd }: KvDelete): DeleteRangeRequest {
  return DeleteRangeRequest.fromPartial({ key: binaryStringBytes(key), rangeEnd: optionalBytes(rangeEnd) });
}

function revokeRequest({ lease }: KvRevoke): LeaseRevokeRequest {
  return LeaseRevokeRequest.fromPartial({ ID: BigInt(lease) });
}

function txnRequest({ compare, success, failure }: KvTxn): TxnRequest {
  return TxnRequest.fromPartial({
    compare: compare.map(compareMessage),
    success: success.map(requestOp),
    failure: failure.map(requestOp),
  });
}

function requestOp(operation: KvTxnOperation): RequestOp {
  switch (operation.kind) {
    case "put":
      return { request: { $case: "requestPut", value: putRequest(operation) } };
    case "get":
      return { request: { $case: "requestRange", value: rangeRequest(operation) } };
    case "delete":
      return { request: { $case: "requestDeleteRange", value: deleteRequest(operation) } };
    case "txn":
      return { request: { $case: "requestTxn", value: txnRequest(operation) } };
  }
}

const compareResults = {
  equal: CompareResult.EQUAL,
  notEqual: CompareResult.NOT_EQUAL,
  less: CompareResult.LESS,
  greater: CompareResult.GREATER,
} as const;

function compareMessage(compare: KvCompare): Compare {
  return {
    key: binaryStringBytes(compare.key),
    rangeEnd: optionalBytes(compare.rangeEnd),
    result: compareResults[compare.result],
    ...compareTarget(compare),
  };
}

function compareTarget({ target, operand }: KvCompare): Pick<Compare, "target" | "targetUnion"> {
  switch (target) {
    case "version":
      return { target: CompareTarget.VERSION, targetUnion: { $case: "version", value: BigInt(operand) } };
    case "create":
      return { target: CompareTarget.CREATE, targetUnion: { $case: "createRevision", value: BigInt(operand) } };
    case "mod":
      return { target: CompareTarget.MOD, targetUnion: { $case: "modRevision", value: BigInt(operand) } };
    case "value":
      return { target: CompareTarget.VALUE, targetUnion: { $case: "value", value: binaryStringBytes(`${operand}`) } };
    case "lease":
      return { target: CompareTarget.LEASE, targetUnion: { $case: "lease", value: BigInt(operand) } };
  }
}

function optionalBytes(text: string | undefined): Uint8Array {
  return text === undefined ? emptyBytes : binaryStringBytes(text);
}

/** The answer that a response stands for. */
export function kvAnswer(response: KvResponse): KvAnswer {
  return { revision: response.header?.revision ?? 0, result: resultOf(response) };
}

function resultOf(response: KvResponse): KvResult {
  if ("succeeded" in response) return txnResult(response);
  if ("deleted" in response) return { kind: "delete", deleted: response.deleted };
  if ("kvs" in response) return { kind: "get", items: response.kvs.map(kvItem), count: response.count };
  if ("prevKv" in response) return putResult(response);
  return { kind: "revoke" };
}

function putResult({ prevKv }: PutResponse): KvResult {
  // Without one the response does not tell whether there was none or whether it was not asked for.
  return prevKv === undefined ? { kind: "put" } : { kind: "put", previous: kvItem(prevKv) };
}

function txnResult({ succeeded, responses }: TxnResponse): KvResult {
  return { kind: "txn", succeeded, results: responses.map(innerResult) };
}

function innerResult({ response }: ResponseOp): KvResult {
  if (response === undefined) throw new TypeError("Cannot read the response of a transaction: one of it is empty");
  return resultOf(response.value);
}

/** The live key that a pair stands for. */
export function kvItem({ key, value, createRevision, modRevision, version, lease }: KeyValue): KvItem {
  return {
    key: binaryString(key),
    value: binaryString(value),
    createRevision,
    modRevision,
    version,
    ...(lease === 0n ? {} : { lease: `${lease}` }),
  };
}

/**
 * The event that a watch has told.
 *
 * @throws TypeError if it tells of no key
 */
export function kvEvent({ type, kv, prevKv }: Event): KvEvent {
  if (kv === undefined) throw new TypeError("Cannot read an event that tells of no key");
  const previous = prevKv === undefined ? {} : { previous: kvItem(prevKv) };
  if (type === EventType.PUT) return { type: "put", item: kvItem(kv), ...previous };
  return { type: "delete", key: binaryString(kv.key), revision: kv.modRevision, ...previous };
}
