import { checkDeleteRange, checkPut, checkRange, checkTxn } from "@conclave/mvcc";
import type {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import type { ResponseStream } from "@conclave/rpc";
import type { Member } from "../member.ts";
import type { Quota } from "../quota.ts";
import { withWireErrors } from "../wire-error-mapping.ts";

/** What the KV service is given. */
export interface KvServiceOptions {
  readonly member: Member;
  readonly quota: Quota;
  /** Most operations, and most compares, in one transaction. */
  readonly maxTxnOps: number;
}

/** The KV service: reads locally after the barrier, writes through the log. */
export class KvService {
  readonly #member: Member;
  readonly #quota: Quota;
  readonly #maxTxnOps: number;

  constructor({ member, quota, maxTxnOps }: KvServiceOptions) {
    this.#member = member;
    this.#quota = quota;
    this.#maxTxnOps = maxTxnOps;
  }

  async range(request: RangeRequest): Promise<RangeResponse> {
    if (request.rangeEnd.length > 0) return this.#gather(request);
    checkRange(request);
    await this.#member.readable(request);
    const response = withWireErrors(() => this.#member.store.range(request));
    response.header = this.#member.header();
    return response;
  }

  /** Sends a range in slices, so that neither side ever holds all of it. */
  async rangeStream(request: RangeRequest, out: ResponseStream<RangeStreamResponse>): Promise<void> {
    const rest = await this.#readSlices(request, async (kvs, rangeHeader) => {
      const rangeResponse = { header: rangeHeader, kvs: [...kvs], more: false, count: 0 };
      if (!out.write({ rangeResponse })) await out.drained();
    });
    out.write({ rangeResponse: { kvs: [], ...rest } });
  }

  async #gather(request: RangeRequest): Promise<RangeResponse> {
    const gathered: KeyValue[] = [];
    const rest = await this.#readSlices(request, (kvs) => {
      for (const kv of kvs) gathered.push(kv);
    });
    return { ...rest, kvs: gathered };
  }

  /** Reads a range a slice at a time; a long one lets the member serve others between two. */
  async #readSlices(
    request: RangeRequest,
    onSlice: (kvs: readonly KeyValue[], header: ResponseHeader) => void | Promise<void>,
  ): Promise<Omit<RangeResponse, "kvs">> {
    checkRange(request);
    await this.#member.readable(request);
    const slices = withWireErrors(() => this.#member.store.rangeSlices(request));
    const header = this.#member.header();
    for (let count = 1; ; count++) {
      const slice = withWireErrors(() => slices.next());
      if (slice.done === true) return { header, ...slice.value };
      if (slice.value.length > 0) await onSlice(slice.value, header);
      // A short range is one slice and waits for nobody.
      if (count > 1) await this.#member.nextSlice();
    }
  }

  async put(request: PutRequest): Promise<PutResponse> {
    checkPut(request);
    const refused = this.#quota.admit(request.key.length + request.value.length);
    if (refused !== undefined) await refused;
    return this.#member.propose("put", request);
  }

  async deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse> {
    checkDeleteRange(request);
    return this.#member.propose("deleteRange", request);
  }

  async txn(request: TxnRequest): Promise<TxnResponse> {
    checkTxn(request, this.#maxTxnOps);
    if (isReadOnly(request)) return this.#read(request);
    const bytes = putBytes(request);
    if (bytes > 0) await this.#quota.admit(bytes);
    return this.#member.propose("txn", request);
  }

  async compact(request: CompactionRequest): Promise<CompactionResponse> {
    const response = await this.#member.propose("compaction", request);
    if (request.physical) {
      await this.#member.compaction.finished();
      await this.#member.flush();
    }
    return response;
  }

  async #read(request: TxnRequest): Promise<TxnResponse> {
    await this.#member.readable({ serializable: isSerializable(request) });
    const response = withWireErrors(() => this.#member.store.txn(request));
    response.header = this.#member.header();
    return response;
  }
}

function operations(request: TxnRequest): TxnRequest["success"] {
  return [...request.success, ...request.failure];
}

/** Whether a transaction only reads, so that it need not go through the log. Nested ones do, as in etcd. */
function isReadOnly(request: TxnRequest): boolean {
  return operations(request).every((op) => op.request?.$case === "requestRange");
}

/** Whether every read of a read-only transaction is content with local state. */
function isSerializable(request: TxnRequest): boolean {
  return operations(request).every((op) => op.request?.$case === "requestRange" && op.request.value.serializable);
}

function putBytes(request: TxnRequest): number {
  const branch = (ops: TxnRequest["success"]): number =>
    ops.reduce((sum, { request: op }) => {
      if (op?.$case === "requestPut") return sum + op.value.key.length + op.value.value.length;
      return op?.$case === "requestTxn" ? sum + putBytes(op.value) : sum;
    }, 0);
  return Math.max(branch(request.success), branch(request.failure));
}
