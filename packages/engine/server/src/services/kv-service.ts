import { type Caller, nobody } from "@conclave/auth";
import { checkDeleteRange, checkPut, checkRange, checkTxn, type RangeTotals } from "@conclave/mvcc";
import { WireError } from "@conclave/protocol";
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
  RequestOp,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import type { Deferred, ResponseStream, ServerCall } from "@conclave/rpc";
import type { CommandRequest, CommandResponse } from "../apply/commands.ts";
import type { AccessControl, Check } from "../auth/access-control.ts";
import { checkTxn as checkTxnAccess, type RuledCommand } from "../auth/command-rules.ts";
import type { Member } from "../member.ts";
import type { Quota } from "../quota.ts";
import { withWireErrors } from "../wire-error-mapping.ts";
import { gatheredRange } from "./gathered-range.ts";

/** What the KV service is given. */
export interface KvServiceOptions {
  readonly member: Member;
  readonly quota: Quota;
  readonly access: AccessControl;
  /** Most operations, and most compares, in one transaction. */
  readonly maxTxnOps: number;
}

/** How a range is read in slices. */
interface SliceReading<Slice> {
  readonly begin: () => Generator<Slice, RangeTotals>;
  readonly onSlice: (slice: Slice, header: ResponseHeader) => void | Promise<void>;
}

type WriteKind = "put" | "deleteRange" | "txn";

/** A write on its way into the log. */
interface Write<K extends WriteKind> {
  readonly kind: K;
  readonly request: CommandRequest<K>;
  /** Bytes of the keys and values that it may add to the store. */
  readonly bytes: number;
}

type Result<Response> = Promise<Response> | Deferred<Response>;

/** The KV service: reads locally after the barrier, writes through the log. */
export class KvService {
  readonly #member: Member;
  readonly #quota: Quota;
  readonly #access: AccessControl;
  readonly #maxTxnOps: number;

  constructor({ member, quota, access, maxTxnOps }: KvServiceOptions) {
    this.#member = member;
    this.#quota = quota;
    this.#access = access;
    this.#maxTxnOps = maxTxnOps;
  }

  async range(request: RangeRequest, call: ServerCall): Promise<RangeResponse> {
    if (request.rangeEnd.length > 0) return this.#gather(request, call);
    checkRange(request);
    await this.#member.readable(request);
    if (this.#access.enabled) await this.#permitRange(request, call);
    const response = withWireErrors(() => this.#member.store.range(request));
    response.header = this.#member.header();
    return response;
  }

  /** Sends a range in slices, so that neither side ever holds all of it. */
  async rangeStream(request: RangeRequest, out: ResponseStream<RangeStreamResponse>, call: ServerCall): Promise<void> {
    const rest = await this.#readSlices(request, call, {
      begin: () => this.#member.store.rangeSlices(request),
      onSlice: async (kvs, rangeHeader) => {
        const rangeResponse = { header: rangeHeader, kvs: [...kvs], more: false, count: 0 };
        if (!out.write({ rangeResponse })) await out.drained();
      },
    });
    out.write({ rangeResponse: { kvs: [], ...rest } });
  }

  async #gather(request: RangeRequest, call: ServerCall): Promise<RangeResponse> {
    const slices: Uint8Array[] = [];
    const rest = await this.#readSlices(request, call, {
      begin: () => this.#member.store.encodedRangeSlices(request),
      onSlice: (slice) => void slices.push(slice),
    });
    return gatheredRange({ rest, slices });
  }

  /** Reads a range a slice at a time; a long one lets the member serve others between two. */
  async #readSlices<Slice extends { readonly length: number }>(
    request: RangeRequest,
    call: ServerCall,
    { begin, onSlice }: SliceReading<Slice>,
  ): Promise<Omit<RangeResponse, "kvs">> {
    checkRange(request);
    await this.#member.readable(request);
    if (this.#access.enabled) await this.#permitRange(request, call);
    const { revision: authRevision } = this.#member.auth;
    const slices = withWireErrors(begin);
    const header = this.#member.header();
    for (let count = 1; ; count++) {
      const slice = withWireErrors(() => slices.next());
      if (slice.done === true) return { header, ...slice.value };
      if (slice.value.length > 0) await onSlice(slice.value, header);
      // A short range is one slice and waits for nobody.
      if (count > 1) await this.#member.nextSlice();
      // What was permitted when it began may not be any more.
      if (this.#access.enabled && this.#member.auth.revision !== authRevision) throw new WireError("AuthOldRevision");
    }
  }

  put(request: PutRequest, call: ServerCall): Result<PutResponse> {
    checkPut(request);
    const bytes = request.key.length + request.value.length;
    return this.#write({ kind: "put", request, bytes }, call);
  }

  deleteRange(request: DeleteRangeRequest, call: ServerCall): Result<DeleteRangeResponse> {
    checkDeleteRange(request);
    return this.#write({ kind: "deleteRange", request, bytes: 0 }, call);
  }

  txn(request: TxnRequest, call: ServerCall): Result<TxnResponse> {
    checkTxn(request, this.#maxTxnOps);
    if (isReadOnly(request)) return this.#read(request, call);
    return this.#write({ kind: "txn", request, bytes: putBytes(request) }, call);
  }

  async compact(request: CompactionRequest, call: ServerCall): Promise<CompactionResponse> {
    const caller = this.#access.enabled
      ? await this.#access.permitCommand(call, { kind: "compaction", request })
      : nobody;
    const response = await this.#member.propose("compaction", request, caller);
    if (request.physical) {
      await this.#member.compaction.finished();
      await this.#member.flush();
    }
    return response;
  }

  /** Adds no promise where there is nothing to wait for: most of a server's writes go through here. */
  #write<K extends WriteKind>(write: Write<K>, call: ServerCall): Result<CommandResponse<K>> {
    if (this.#access.enabled) return this.#writePermitted(write, call);
    const refused = this.#admit(write);
    return refused === undefined ? this.#submit(write, nobody) : refused.then(() => this.#submit(write, nobody));
  }

  async #writePermitted<K extends WriteKind>(write: Write<K>, call: ServerCall): Promise<CommandResponse<K>> {
    const caller = await this.#access.permitCommand(call, write as RuledCommand);
    await this.#admit(write);
    return await this.#submit(write, caller);
  }

  #admit({ bytes }: Write<WriteKind>): Promise<void> | undefined {
    return bytes > 0 ? this.#quota.admit(bytes) : undefined;
  }

  #submit<K extends WriteKind>({ kind, request }: Write<K>, caller: Caller): Deferred<CommandResponse<K>> {
    return this.#member.submit(kind, request, caller);
  }

  async #read(request: TxnRequest, call: ServerCall): Promise<TxnResponse> {
    const serializable = isSerializable(request);
    await this.#member.readable({ serializable });
    if (this.#access.enabled)
      await this.#permitRead(call, serializable, (caller) => checkTxnAccess(this.#member, request, caller));
    const response = withWireErrors(() => this.#member.store.txn(request));
    response.header = this.#member.header();
    return response;
  }

  #permitRange(request: RangeRequest, call: ServerCall): Promise<Caller> {
    return this.#permitRead(call, request.serializable, (caller) =>
      this.#member.auth.checkKeys(caller, "read", request),
    );
  }

  /** A serializable read is judged by what this member has, as it is answered. */
  #permitRead(call: ServerCall, serializable: boolean, check: Check): Promise<Caller> {
    return serializable ? this.#access.permitHere(call, check) : this.#access.permit(call, check);
  }
}

function isRange({ request }: RequestOp): boolean {
  return request?.$case === "requestRange";
}

function isSerializableRange({ request }: RequestOp): boolean {
  return request?.$case === "requestRange" && request.value.serializable;
}

/** Whether a transaction only reads, so that it need not go through the log. Nested ones do, as in etcd. */
function isReadOnly({ success, failure }: TxnRequest): boolean {
  return success.every(isRange) && failure.every(isRange);
}

/** Whether every read of a read-only transaction is content with local state. */
function isSerializable({ success, failure }: TxnRequest): boolean {
  return success.every(isSerializableRange) && failure.every(isSerializableRange);
}

function putBytes({ success, failure }: TxnRequest): number {
  return Math.max(putBytesOf(success), putBytesOf(failure));
}

function putBytesOf(operations: readonly RequestOp[]): number {
  let bytes = 0;
  for (const { request } of operations) {
    if (request?.$case === "requestPut") bytes += request.value.key.length + request.value.value.length;
    else if (request?.$case === "requestTxn") bytes += putBytes(request.value);
  }
  return bytes;
}
