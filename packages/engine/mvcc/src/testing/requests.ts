/** @module Requests in a few words, keys and values as text. */
import { utf8 } from "@conclave/base";
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  type DeleteRangeRequest,
  type PutRequest,
  RangeRequest,
  type RangeRequest as RangeRequestType,
  type RequestOp,
  type TxnRequest,
} from "@conclave/protocol/etcdserverpb";

/** The end of a range that is open. */
export const openEnd = "\0";

/** A put. */
export function put(key: string, value = "", options: Partial<PutRequest> = {}): PutRequest {
  return {
    key: utf8(key),
    value: utf8(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    ...options,
  };
}

/** A range read, of one key if there is no end. */
export function range(key: string, rangeEnd = "", options: Partial<RangeRequestType> = {}): RangeRequestType {
  return { ...RangeRequest.fromPartial({ key: utf8(key), rangeEnd: utf8(rangeEnd) }), ...options };
}

/** A read of all keys. */
export function all(options: Partial<RangeRequestType> = {}): RangeRequestType {
  return range("\0", openEnd, options);
}

/** A deletion, of one key if there is no end. */
export function del(key: string, rangeEnd = "", prevKv = false): DeleteRangeRequest {
  return { key: utf8(key), rangeEnd: utf8(rangeEnd), prevKv };
}

/** A transaction. */
export function txn(parts: Partial<TxnRequest>): TxnRequest {
  return { compare: [], success: [], failure: [], ...parts };
}

/** Operations of a transaction. */
export const op = {
  put: (...args: Parameters<typeof put>): RequestOp => ({ request: { $case: "requestPut", value: put(...args) } }),
  range: (...args: Parameters<typeof range>): RequestOp => ({
    request: { $case: "requestRange", value: range(...args) },
  }),
  del: (...args: Parameters<typeof del>): RequestOp => ({
    request: { $case: "requestDeleteRange", value: del(...args) },
  }),
  txn: (parts: Partial<TxnRequest>): RequestOp => ({ request: { $case: "requestTxn", value: txn(parts) } }),
} as const;

type Operand = NonNullable<Compare["targetUnion"]>;

const targets: Record<Operand["$case"], Compare["target"]> = {
  version: CompareTarget.VERSION,
  createRevision: CompareTarget.CREATE,
  modRevision: CompareTarget.MOD,
  value: CompareTarget.VALUE,
  lease: CompareTarget.LEASE,
};

const results = {
  "=": CompareResult.EQUAL,
  ">": CompareResult.GREATER,
  "<": CompareResult.LESS,
  "!=": CompareResult.NOT_EQUAL,
} as const;

/** A compare, such as `compare("a", "=", { $case: "version", value: 1n })`. */
export function compare(key: string, result: keyof typeof results, targetUnion: Operand, rangeEnd = ""): Compare {
  return {
    key: utf8(key),
    rangeEnd: utf8(rangeEnd),
    result: results[result],
    target: targets[targetUnion.$case],
    targetUnion,
  };
}
