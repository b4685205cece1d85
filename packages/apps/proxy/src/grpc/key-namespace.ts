/** @module `--namespace`: every key that goes to a member gets the prefix, every key that comes back loses it. */
import { compareBytes, concatBytes, emptyBytes, prefixEnd } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseTimeToLiveResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import type { LeaderKey } from "@conclave/protocol/v3electionpb";

interface Keyed {
  readonly key: Uint8Array;
}

interface Ranged extends Keyed {
  readonly rangeEnd: Uint8Array;
}

const lowestKey: Uint8Array = new Uint8Array(1);

/** Whether a range has no end: one that ends at the byte zero. */
function isOpenEnded({ rangeEnd }: Ranged): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

/** A part of the keys that its users see as all keys there are. */
export class KeyNamespace {
  readonly #prefix: Uint8Array;

  /** @param prefix - what all its keys begin with; empty for all keys */
  constructor(prefix: Uint8Array) {
    this.#prefix = prefix;
  }

  /** Whether it is all keys there are. */
  get isEverything(): boolean {
    return this.#prefix.length === 0;
  }

  /** A key as the member knows it. */
  outward(key: Uint8Array): Uint8Array {
    return this.isEverything ? key : concatBytes([this.#prefix, key]);
  }

  /** A key as its users know it. */
  inward(key: Uint8Array): Uint8Array {
    return this.#holds(key) ? key.subarray(this.#prefix.length) : key;
  }

  /** The request of a read. */
  range(request: RangeRequest): RangeRequest {
    return this.#ranged(request);
  }

  /** The request of a write. */
  put(request: PutRequest): PutRequest {
    return this.#keyed(request);
  }

  /** The request of a deletion. */
  deleteRange(request: DeleteRangeRequest): DeleteRangeRequest {
    return this.#ranged(request);
  }

  /** The request of a transaction, with all that is nested in it. */
  txn(request: TxnRequest): TxnRequest {
    if (this.isEverything) return request;
    return {
      compare: request.compare.map((compare) => this.#ranged(compare)),
      success: request.success.map((op) => this.#operation(op)),
      failure: request.failure.map((op) => this.#operation(op)),
    };
  }

  /** The request of a watcher; an empty key stands for the lowest one, as it does at a member. */
  watch(request: WatchCreateRequest): WatchCreateRequest {
    return this.#ranged(request.key.length === 0 ? { ...request, key: lowestKey } : request);
  }

  /** The proof of a leadership. */
  leader(leader: LeaderKey | undefined): LeaderKey | undefined {
    return leader && { ...leader, name: this.outward(leader.name), key: this.outward(leader.key) };
  }

  /** The answer to a read. */
  rangeResponse(response: RangeResponse): RangeResponse {
    return this.isEverything ? response : { ...response, kvs: this.#pairs(response.kvs) };
  }

  /** The answer to a write. */
  putResponse(response: PutResponse): PutResponse {
    return this.isEverything ? response : { ...response, prevKv: this.pair(response.prevKv) };
  }

  /** The answer to a deletion. */
  deleteRangeResponse(response: DeleteRangeResponse): DeleteRangeResponse {
    return this.isEverything ? response : { ...response, prevKvs: this.#pairs(response.prevKvs) };
  }

  /** The answer to a transaction. */
  txnResponse(response: TxnResponse): TxnResponse {
    if (this.isEverything) return response;
    return { ...response, responses: response.responses.map((op) => this.#operationResponse(op)) };
  }

  /** What a watcher is told. */
  watchResponse(response: WatchResponse): WatchResponse {
    if (this.isEverything) return response;
    const events = response.events.map((event) => {
      return { ...event, kv: this.pair(event.kv), prevKv: this.pair(event.prevKv) };
    });
    return { ...response, events };
  }

  /** What is said of a lease: of its keys only those in here. */
  timeToLiveResponse(response: LeaseTimeToLiveResponse): LeaseTimeToLiveResponse {
    const keys = response.keys.filter((key) => this.#holds(key)).map((key) => this.inward(key));
    return { ...response, keys };
  }

  /** The proof of a leadership, as its holder knows it. */
  leaderResponse(leader: LeaderKey | undefined): LeaderKey | undefined {
    return leader && { ...leader, name: this.inward(leader.name), key: this.inward(leader.key) };
  }

  /** A pair as its users know it. */
  pair(kv: KeyValue | undefined): KeyValue | undefined {
    return kv && { ...kv, key: this.inward(kv.key) };
  }

  #pairs(kvs: readonly KeyValue[]): KeyValue[] {
    return kvs.map((kv) => ({ ...kv, key: this.inward(kv.key) }));
  }

  #holds(key: Uint8Array): boolean {
    return compareBytes(key.subarray(0, this.#prefix.length), this.#prefix) === 0;
  }

  #keyed<Request extends Keyed>(request: Request): Request {
    if (this.isEverything) return request;
    // With the prefix before it an empty key would become one that can be written.
    if (request.key.length === 0) throw new WireError("EmptyKey");
    return { ...request, key: this.outward(request.key) };
  }

  #ranged<Request extends Ranged>(request: Request): Request {
    return this.isEverything ? request : { ...this.#keyed(request), rangeEnd: this.#end(request) };
  }

  #end(request: Ranged): Uint8Array {
    if (request.rangeEnd.length === 0) return emptyBytes;
    return isOpenEnded(request) ? prefixEnd(this.#prefix) : this.outward(request.rangeEnd);
  }

  #operation({ request }: RequestOp): RequestOp {
    switch (request?.$case) {
      case undefined:
        return { request };
      case "requestRange":
        return { request: { $case: request.$case, value: this.range(request.value) } };
      case "requestPut":
        return { request: { $case: request.$case, value: this.put(request.value) } };
      case "requestDeleteRange":
        return { request: { $case: request.$case, value: this.deleteRange(request.value) } };
      case "requestTxn":
        return { request: { $case: request.$case, value: this.txn(request.value) } };
    }
  }

  #operationResponse({ response }: ResponseOp): ResponseOp {
    switch (response?.$case) {
      case undefined:
        return { response };
      case "responseRange":
        return { response: { $case: response.$case, value: this.rangeResponse(response.value) } };
      case "responsePut":
        return { response: { $case: response.$case, value: this.putResponse(response.value) } };
      case "responseDeleteRange":
        return { response: { $case: response.$case, value: this.deleteRangeResponse(response.value) } };
      case "responseTxn":
        return { response: { $case: response.$case, value: this.txnResponse(response.value) } };
    }
  }
}
