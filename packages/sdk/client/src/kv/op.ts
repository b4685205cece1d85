/** @module Operations as values: what a transaction is made of, and what `client.do` runs. */
import type { RequestOp, ResponseOp } from "@conclave/protocol/etcdserverpb";
import { ConclaveError } from "../conclave-error.ts";
import { bytesInput, validate } from "../validate.ts";
import type { BytesInput, RangeInput } from "./key-range.ts";
import type { KeyValue, ResponseHeader } from "./key-value.ts";
import type { Keyspace } from "./keyspace.ts";
import {
  type DeleteResult,
  type DeleteSelection,
  innerHeader,
  type PutResult,
  type PutSelection,
  type RangeResult,
  type RangeSelection,
  toDeleteRequest,
  toDeleteResult,
  toPutRequest,
  toPutResult,
  toRangeRequest,
  toRangeResult,
} from "./kv-options.ts";

/** An operation that has not run yet. Its type says what it will answer. */
export interface Op<Result> {
  /** Whether it leaves the store as it is. */
  readonly readOnly: boolean;
  /** The operation as the protocol has it. @internal */
  encode(space: Keyspace): RequestOp;
  /** Its answer. @internal */
  decode(response: ResponseOp, space: Keyspace, header: ResponseHeader): Result;
}

/** What an operation answers. */
export type OpResult<Operation> = Operation extends Op<infer Result> ? Result : never;

/** Makes operations. */
export interface OpFactory {
  /** Reads one key; answers undefined if it is not there. */
  get(
    key: BytesInput,
    options?: { readonly revision?: number; readonly serializable?: boolean },
  ): Op<KeyValue | undefined>;
  /** Reads a range. */
  range(range: RangeInput, options?: RangeSelection): Op<RangeResult>;
  /** Writes a key. */
  put(key: BytesInput, value: BytesInput, options?: PutSelection): Op<PutResult>;
  /** Deletes a key or a range. */
  delete(range: RangeInput, options?: DeleteSelection): Op<DeleteResult>;
}

type Answer = NonNullable<ResponseOp["response"]>;
type AnswerValue<Case extends Answer["$case"]> = Extract<Answer, { $case: Case }>["value"];

/** Takes one kind of answer out of a response. @internal */
export function responseOf<Case extends Answer["$case"]>({ response }: ResponseOp, kind: Case): AnswerValue<Case> {
  if (response?.$case !== kind)
    throw new ConclaveError("PROTOCOL", `Cannot read an answer that is not ${kind}: received ${response?.$case}`);
  return response.value as AnswerValue<Case>;
}

function range(input: RangeInput, options: RangeSelection = {}): Op<RangeResult> {
  return {
    readOnly: true,
    encode: (space) => ({ request: { $case: "requestRange", value: toRangeRequest(input, options, space) } }),
    decode(response, space, header) {
      const inner = responseOf(response, "responseRange");
      return toRangeResult(inner, space, innerHeader(inner, header));
    },
  };
}

/**
 * Makes the operations of a transaction.
 *
 * @example
 * ```ts
 * op.put("a", "1", { lease }); op.get("b"); op.delete(prefix("c/"));
 * ```
 */
export const op: OpFactory = {
  get(key, options = {}) {
    validate(bytesInput, key, "key");
    const inner = range(key, options);
    return { ...inner, decode: (response, space, header) => inner.decode(response, space, header).kvs[0] };
  },
  range,
  put: (key, value, options = {}) => ({
    readOnly: false,
    encode: (space) => ({ request: { $case: "requestPut", value: toPutRequest(key, value, options, space) } }),
    decode(response, space, header) {
      const inner = responseOf(response, "responsePut");
      return toPutResult(inner, space, innerHeader(inner, header));
    },
  }),
  delete: (input, options = {}) => ({
    readOnly: false,
    encode: (space) => ({ request: { $case: "requestDeleteRange", value: toDeleteRequest(input, options, space) } }),
    decode(response, space, header) {
      const inner = responseOf(response, "responseDeleteRange");
      return toDeleteResult(inner, space, innerHeader(inner, header));
    },
  }),
};
