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
  TxnRequest,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
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
    checkRange(request);
    if (!request.serializable) await this.#member.linearizable();
    const response = withWireErrors(() => this.#member.store.range(request));
    response.header = this.#member.header();
    return response;
  }

  /** Sends a range in slices, so that neither side ever holds all of it; the member serves others between two. */
  async rangeStream(request: RangeRequest, out: ResponseStream<RangeStreamResponse>): Promise<void> {
    checkRange(request);
    if (!request.serializable) await this.#member.linearizable();
    const slices = withWireErrors(() => this.#member.store.rangeSlices(request));
    const header = this.#member.header();
    for (;;) {
      const slice = withWireErrors(() => slices.next());
      const part = slice.done === true ? { kvs: [], ...slice.value } : { kvs: [...slice.value], more: false, count: 0 };
      if (!out.write({ rangeResponse: { header, ...part } })) await out.drained();
      if (slice.done === true) return;
      await new Promise<void>((resolve) => this.#member.ports.scheduler.atTurnEnd(resolve));
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
    if (!isSerializable(request)) await this.#member.linearizable();
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
