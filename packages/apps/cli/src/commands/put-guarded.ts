import { utf8, utf8Text } from "@conclave/base";
import type { Client } from "@conclave/client";
import {
  Compare,
  type PutRequest,
  PutResponse,
  RangeRequest,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import { CommandError, exitCodes } from "../exit.ts";

/** What a key must be like for it to be written. */
export interface PutGuards {
  /** Its value; undefined for any. */
  readonly swapWithValue?: string;
  /** The revision of its last change; 0 for any. */
  readonly swapWithIndex: bigint;
}

/**
 * Puts, in one transaction with the comparisons if there are any.
 *
 * @throws CommandError if the key is not as it must be
 */
export async function putGuarded(client: Client, request: PutRequest, guards: PutGuards): Promise<PutResponse> {
  const compare = comparesOf(request, guards);
  if (compare.length === 0) return client.raw.kv.put(request);
  const response = await client.raw.kv.txn({
    compare,
    success: [{ request: { $case: "requestPut", value: request } }],
    failure: [{ request: { $case: "requestRange", value: RangeRequest.fromPartial({ key: request.key }) } }],
  });
  if (!response.succeeded) throw new CommandError(exitCodes.failure, `compare failed: ${found(request, response)}`);
  const put = response.responses[0]?.response;
  const answer = put?.$case === "responsePut" ? put.value : PutResponse.fromPartial({});
  return { ...answer, header: response.header };
}

function comparesOf({ key }: PutRequest, { swapWithValue, swapWithIndex }: PutGuards): Compare[] {
  const compares: Compare[] = [];
  if (swapWithValue !== undefined) {
    const targetUnion = { $case: "value", value: utf8(swapWithValue) } as const;
    compares.push(Compare.fromPartial({ key, result: Result.EQUAL, target: Target.VALUE, targetUnion }));
  }
  if (swapWithIndex !== 0n) {
    const targetUnion = { $case: "modRevision", value: swapWithIndex } as const;
    compares.push(Compare.fromPartial({ key, result: Result.EQUAL, target: Target.MOD, targetUnion }));
  }
  return compares;
}

/** What the key is like instead. */
function found({ key }: PutRequest, { responses }: TxnResponse): string {
  const range = responses[0]?.response;
  const kv = range?.$case === "responseRange" ? range.value.kvs[0] : undefined;
  const name = JSON.stringify(utf8Text(key));
  if (kv === undefined) return `there is no key ${name}`;
  return `${name} has the value ${JSON.stringify(utf8Text(kv.value))}, written at revision ${kv.modRevision}`;
}
