/** @module Transactions: conditions, and operations that run in one step if they hold or if they do not. */
import type { TxnRequest, TxnResponse } from "@conclave/protocol/etcdserverpb";
import { ConclaveError } from "../conclave-error.ts";
import { validateOptions } from "../validate.ts";
import type { Compare } from "./compare.ts";
import { headerOf, type ResponseHeader } from "./key-value.ts";
import type { Keyspace } from "./keyspace.ts";
import { innerHeader, type MutationOptions, mutationSchema } from "./kv-options.ts";
import { type Op, type OpResult, responseOf } from "./op.ts";

/** The answers of operations, each at the place of its operation. */
export type OpResults<Ops extends readonly Op<unknown>[]> = { readonly [Index in keyof Ops]: OpResult<Ops[Index]> };

/** What a transaction answers: which way it went, and the answers of the operations on that way. */
export type TxnResult<Then extends readonly Op<unknown>[], Else extends readonly Op<unknown>[]> =
  | {
      /** All conditions held. */
      readonly succeeded: true;
      /** Where and when it was answered. */
      readonly header: ResponseHeader;
      /** The revision of what it wrote, or the present one if it wrote nothing. */
      readonly revision: number;
      /** The answers of the operations given to `then`. */
      readonly responses: OpResults<Then>;
    }
  | {
      /** Some condition did not hold. */
      readonly succeeded: false;
      /** Where and when it was answered. */
      readonly header: ResponseHeader;
      /** The revision of what it wrote, or the present one if it wrote nothing. */
      readonly revision: number;
      /** The answers of the operations given to `else`. */
      readonly responses: OpResults<Else>;
    };

/**
 * A transaction in the making; every step returns a new one. It is an operation too: put it into another's `then`
 * to nest it.
 */
export interface Txn<Then extends readonly Op<unknown>[] = [], Else extends readonly Op<unknown>[] = []>
  extends Op<TxnResult<Then, Else>> {
  /** Adds conditions; all must hold. */
  if(...compares: readonly Compare[]): Txn<Then, Else>;
  /** Sets the operations to run if the conditions hold. */
  then<const Ops extends readonly Op<unknown>[]>(...ops: Ops): Txn<Ops, Else>;
  /** Sets the operations to run if they do not. */
  else<const Ops extends readonly Op<unknown>[]>(...ops: Ops): Txn<Then, Ops>;
  /**
   * Runs it.
   *
   * @throws ConclaveError `OUTCOME_UNKNOWN` if it was sent and its fate is not known; a transaction that only
   * reads is repeated instead
   */
  commit(options?: MutationOptions): Promise<TxnResult<Then, Else>>;
}

/** Sends a transaction and brings its answer. */
export type TxnRunner = (
  request: TxnRequest,
  options: MutationOptions & { readonly readOnly: boolean },
) => Promise<TxnResponse>;

interface TxnParts {
  readonly compares: readonly Compare[];
  readonly success: readonly Op<unknown>[];
  readonly failure: readonly Op<unknown>[];
}

/** An empty transaction. */
export function createTxn(run: TxnRunner, space: Keyspace): Txn {
  return txnOf({ compares: [], success: [], failure: [] }, run, space);
}

function txnOf<Then extends readonly Op<unknown>[], Else extends readonly Op<unknown>[]>(
  parts: TxnParts,
  run: TxnRunner,
  space: Keyspace,
): Txn<Then, Else> {
  const readOnly = [...parts.success, ...parts.failure].every((operation) => operation.readOnly);
  return {
    readOnly,
    if: (...compares) => txnOf({ ...parts, compares: [...parts.compares, ...compares] }, run, space),
    // biome-ignore lint/suspicious/noThenProperty: the protocol's word; an attempt to await is refused.
    then(...ops) {
      return txnOf({ ...parts, success: refuseCallbacks(ops) }, run, space);
    },
    else: (...ops) => txnOf({ ...parts, failure: ops }, run, space),
    encode: (inner) => ({ request: { $case: "requestTxn", value: toTxnRequest(parts, inner) } }),
    decode(response, inner, header) {
      const txn = responseOf(response, "responseTxn");
      return toTxnResult(parts, txn, inner, innerHeader(txn, header));
    },
    async commit(options = {}) {
      validateOptions(mutationSchema, options, "options of a transaction");
      const response = await run(toTxnRequest(parts, space), { ...options, readOnly });
      return toTxnResult(parts, response, space, headerOf(response));
    },
  };
}

/** What an `await` does to anything that has a `then`: a mistake here, and better an error than a wait for ever. */
function refuseCallbacks<Ops extends readonly Op<unknown>[]>(ops: Ops): Ops {
  if (ops.some((operation) => typeof operation === "function"))
    throw new ConclaveError("INVALID_ARGUMENT", "Cannot await a transaction: call commit() and await that");
  return ops;
}

function toTxnRequest({ compares, success, failure }: TxnParts, space: Keyspace): TxnRequest {
  return {
    compare: compares.map((compare) => compare.encode(space)),
    success: success.map((operation) => operation.encode(space)),
    failure: failure.map((operation) => operation.encode(space)),
  };
}

function toTxnResult<Then extends readonly Op<unknown>[], Else extends readonly Op<unknown>[]>(
  parts: TxnParts,
  response: TxnResponse,
  space: Keyspace,
  header: ResponseHeader,
): TxnResult<Then, Else> {
  const ops = response.succeeded ? parts.success : parts.failure;
  if (response.responses.length !== ops.length)
    throw new ConclaveError("PROTOCOL", `Cannot read ${response.responses.length} answers to ${ops.length} operations`);
  const responses = ops.map((operation, index) =>
    operation.decode(response.responses[index] ?? { response: undefined }, space, header),
  );
  // The builder's type parameters are those of the operations it holds.
  return { succeeded: response.succeeded, header, revision: header.revision, responses } as unknown as TxnResult<
    Then,
    Else
  >;
}
