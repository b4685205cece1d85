/** @module The calls of the KV service, as the protocol has them. Every answer raises the client's revision floor. */
import type {
  CompactionRequest,
  CompactionResponse,
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
import type { CallOptions } from "../calls/call-scope.ts";
import { checkTxn } from "../calls/limits.ts";
import { compactMethod, deleteRangeMethod, putMethod, rangeMethod, txnMethod } from "../calls/methods.ts";
import type { RpcMethod } from "../calls/rpc-method.ts";
import { type CallPorts, type Effect, runUnary } from "../calls/unary-run.ts";
import { ConclaveError } from "../conclave-error.ts";
import { headerOf } from "./key-value.ts";
import type { MutationOptions } from "./kv-options.ts";
import type { RevisionFloor } from "./revision-floor.ts";

/** How to read. */
export interface ReadOptions extends CallOptions {
  /** Whether a serializable answer must not be older than what this client has seen; default: true. */
  readonly monotonic?: boolean | undefined;
}

/** How to run something that may or may not change the store. */
export interface RunOptions extends MutationOptions {
  /** Whether it leaves the store as it is. */
  readonly readOnly: boolean;
}

/** The calls of the KV service. */
export interface KvCalls {
  /** Reads. */
  range(request: RangeRequest, options: ReadOptions): Promise<RangeResponse>;
  /** Writes. */
  put(request: PutRequest, options: MutationOptions): Promise<PutResponse>;
  /** Deletes. */
  deleteRange(request: DeleteRangeRequest, options: MutationOptions): Promise<DeleteRangeResponse>;
  /** Runs a transaction. */
  txn(request: TxnRequest, options: RunOptions): Promise<TxnResponse>;
  /** Drops history. */
  compact(request: CompactionRequest, options: CallOptions): Promise<CompactionResponse>;
  /** Runs one operation. */
  run(operation: RequestOp, options: RunOptions): Promise<ResponseOp>;
}

function effectOf({ idempotent }: MutationOptions): Effect {
  return idempotent === true ? "idempotent" : "mutation";
}

/** Makes the calls. */
export function createKvCalls(ports: CallPorts, floor: RevisionFloor): KvCalls {
  const mutate =
    <Request, Response extends Parameters<typeof headerOf>[0]>(method: RpcMethod<Request, Response>) =>
    async (request: Request, { signal, timeoutMs, ...rest }: MutationOptions): Promise<Response> => {
      const response = await runUnary(ports, method, request, { signal, timeoutMs, effect: effectOf(rest) });
      floor.observe(headerOf(response));
      return response;
    };
  const calls: KvCalls = {
    put: mutate(putMethod),
    deleteRange: mutate(deleteRangeMethod),
    compact: mutate(compactMethod),
    async range(request, { signal, timeoutMs, monotonic }) {
      const guarded = request.serializable && request.revision === 0n && monotonic !== false;
      const response = await runUnary(ports, rangeMethod, request, {
        signal,
        timeoutMs,
        effect: "read",
        // A serializable read is for members that may have lost their leader.
        requireLeader: !request.serializable,
        check: guarded ? (answer) => floor.check(headerOf(answer)) : undefined,
      });
      floor.observe(headerOf(response));
      return response;
    },
    async txn(request, { signal, timeoutMs, readOnly, ...rest }) {
      checkTxn(request, ports.limits);
      const effect = readOnly ? "read" : effectOf(rest);
      const response = await runUnary(ports, txnMethod, request, { signal, timeoutMs, effect });
      floor.observe(headerOf(response));
      return response;
    },
    run: (operation, options) => runOperation(calls, operation, options),
  };
  return calls;
}

async function runOperation(calls: KvCalls, { request }: RequestOp, options: RunOptions): Promise<ResponseOp> {
  switch (request?.$case) {
    case "requestRange":
      return { response: { $case: "responseRange", value: await calls.range(request.value, options) } };
    case "requestPut":
      return { response: { $case: "responsePut", value: await calls.put(request.value, options) } };
    case "requestDeleteRange":
      return { response: { $case: "responseDeleteRange", value: await calls.deleteRange(request.value, options) } };
    case "requestTxn":
      return { response: { $case: "responseTxn", value: await calls.txn(request.value, options) } };
    case undefined:
      throw new ConclaveError("INVALID_ARGUMENT", "Cannot run an operation without a request");
  }
}
