/** @module The KV service of the proxy. */
import { emptyBytes } from "@conclave/base";
import {
  type DeleteRangeRequest,
  KVDefinition,
  type PutRequest,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import type { ServerCall, ServiceHandlers } from "@conclave/rpc";
import { callerOf } from "./caller.ts";
import { forwardServerStream, forwardUnary } from "./forward.ts";
import type { KeyNamespace } from "./key-namespace.ts";
import type { ReadCache } from "./read-cache.ts";
import type { ReadOrder } from "./read-order.ts";
import { type Upstream, upstreamMethod } from "./upstream.ts";

/** What the services of a proxy share. */
export interface ProxyParts {
  /** The members. */
  readonly upstream: Upstream;
  /** The keys that the proxy's users see. */
  readonly namespace: KeyNamespace;
  /** Answers to serializable reads. */
  readonly cache: ReadCache;
  /** Holds serializable reads to the order of revisions; undefined if that is not asked for. */
  readonly order?: ReadOrder | undefined;
}

interface Range {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

const { methods } = KVDefinition;
const rangeMethod = upstreamMethod(KVDefinition, methods.range);
const rangeStreamMethod = upstreamMethod(KVDefinition, methods.rangeStream);
const putMethod = upstreamMethod(KVDefinition, methods.put);
const deleteRangeMethod = upstreamMethod(KVDefinition, methods.deleteRange);
const txnMethod = upstreamMethod(KVDefinition, methods.txn);
const compactMethod = upstreamMethod(KVDefinition, methods.compact);

/** The KV service: serializable reads are answered from the cache, everything else by a member. */
export function kvHandlers(parts: ProxyParts): ServiceHandlers<typeof KVDefinition> {
  const { upstream, namespace, cache } = parts;
  const put = forwardUnary(upstream, putMethod, { response: (response) => namespace.putResponse(response) });
  const deleteRange = forwardUnary(upstream, deleteRangeMethod, {
    response: (response) => namespace.deleteRangeResponse(response),
  });
  const txn = forwardUnary(upstream, txnMethod, { response: (response) => namespace.txnResponse(response) });
  const compact = forwardUnary(upstream, compactMethod);
  return {
    range: (request, call) => range(parts, namespace.range(request), call),
    rangeStream: forwardServerStream(upstream, rangeStreamMethod, {
      request: (request) => namespace.range(request),
      response: ({ rangeResponse }) => ({ rangeResponse: rangeResponse && namespace.rangeResponse(rangeResponse) }),
    }),
    put: (request, call) => {
      const inside = namespace.put(request);
      return writing(parts, [keyOf(inside)], () => put(inside, call));
    },
    deleteRange: (request, call) => {
      const inside = namespace.deleteRange(request);
      return writing(parts, [inside], () => deleteRange(inside, call));
    },
    txn: (request, call) => {
      const inside = namespace.txn(request);
      return writing(parts, writtenBy(inside), () => txn(inside, call));
    },
    compact: async (request, call) => {
      const response = await compact(request, call);
      cache.compacted(request.revision);
      return response;
    },
  };
}

async function range(parts: ProxyParts, request: RangeRequest, call: ServerCall): Promise<RangeResponse> {
  const { namespace, cache, order } = parts;
  const caller = callerOf(call);
  const known = request.serializable ? cache.get(caller, request) : undefined;
  if (known !== undefined && order?.isBehind(known.header) !== true) return namespace.rangeResponse(known);
  const begun = cache.begin();
  const response = await orderedRange(parts, request, call);
  cache.add(caller, { request, response, begun });
  return namespace.rangeResponse(response);
}

/** Asks a member; one that lags behind what was answered already is not believed, but made to ask the others. */
async function orderedRange(
  { upstream, order }: ProxyParts,
  request: RangeRequest,
  call: ServerCall,
): Promise<RangeResponse> {
  const { signal, deadlineMs } = call;
  const options = { caller: callerOf(call), signal, deadlineMs };
  const response = await upstream.unary(rangeMethod, request, options);
  const isBehind = request.serializable && order?.isBehind(response.header) === true;
  if (!isBehind) return order?.noted(response) ?? response;
  return order.noted(await upstream.unary(rangeMethod, { ...request, serializable: false }, options));
}

/** Forgets what a write changes once it is over, however it ends: one whose fate is unknown may have been applied. */
async function writing<Response extends { readonly header: { readonly revision: number } | undefined }>(
  { cache, order }: ProxyParts,
  ranges: readonly Range[],
  write: () => Promise<Response>,
): Promise<Response> {
  try {
    const response = await write();
    if (ranges.length > 0) cache.written(response.header?.revision ?? 0);
    return order?.noted(response) ?? response;
  } finally {
    cache.invalidate(ranges);
  }
}

function keyOf({ key }: PutRequest): Range {
  return { key, rangeEnd: emptyBytes };
}

/** Whatever a transaction may write, in either branch. */
function writtenBy({ success, failure }: TxnRequest): readonly Range[] {
  return [...success, ...failure].flatMap(writtenByOperation);
}

function writtenByOperation({ request }: RequestOp): readonly Range[] {
  switch (request?.$case) {
    case "requestPut":
      return [keyOf(request.value)];
    case "requestDeleteRange":
      return [request.value satisfies DeleteRangeRequest];
    case "requestTxn":
      return writtenBy(request.value);
    case "requestRange":
    case undefined:
      return [];
  }
}
