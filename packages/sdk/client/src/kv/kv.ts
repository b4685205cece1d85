/** @module Keys and values: reads, writes, transactions. */
import * as z from "zod";
import type { CallOptions } from "../calls/call-scope.ts";
import { bytesInput, callFields, count, validate } from "../validate.ts";
import { type BytesInput, isSingleKey, type KeyRange, keyAfter, type RangeInput, singleKey } from "./key-range.ts";
import { emptyHeader, headerOf, type KeyValue, type ResponseHeader } from "./key-value.ts";
import type { Keyspace } from "./keyspace.ts";
import type { KvCalls } from "./kv-calls.ts";
import {
  type DeleteOptions,
  type DeleteResult,
  type GetOptions,
  type MutationOptions,
  mutationSchema,
  type PutOptions,
  type PutResult,
  type RangeOptions,
  type RangeResult,
  toDeleteRequest,
  toDeleteResult,
  toPutRequest,
  toPutResult,
  toRangeRequest,
  toRangeResult,
} from "./kv-options.ts";
import type { Op } from "./op.ts";
import { createTxn, type Txn } from "./txn.ts";

/** What a scan can be told. */
export interface ScanOptions extends CallOptions {
  /** Pairs per request, at least 1. Default: 1 000. */
  readonly pageSize?: number | undefined;
  /** The revision to read at; 0 for the present one when the scan starts. Default: 0. */
  readonly revision?: number | undefined;
  /** Leave the values out; default: false. */
  readonly keysOnly?: boolean | undefined;
  /** See {@link RangeOptions.serializable}; default: false. */
  readonly serializable?: boolean | undefined;
}

/** What a compaction can be told. */
export interface CompactOptions extends CallOptions {
  /** Wait until the space is free on the member asked; default: false. */
  readonly physical?: boolean | undefined;
}

/** Keys and values. Every method takes `signal` and `timeoutMs`. */
export interface Kv {
  /** The key with its value, or undefined if it is not there. */
  get(key: BytesInput, options?: GetOptions): Promise<KeyValue | undefined>;
  /** The value as text, or undefined if the key is not there. */
  getString(key: BytesInput, options?: GetOptions): Promise<string | undefined>;
  /** The pairs of a range. */
  range(range: RangeInput, options?: RangeOptions): Promise<RangeResult>;
  /** The pages of a range, in key order, all read at one revision. `timeoutMs` bounds each page. */
  pages(range: RangeInput, options?: ScanOptions): AsyncIterable<RangeResult>;
  /** The pairs of a range, however large, in key order, all read at one revision. `timeoutMs` bounds each page. */
  scan(range: RangeInput, options?: ScanOptions): AsyncIterable<KeyValue>;
  /** Writes a key. */
  put(key: BytesInput, value: BytesInput, options?: PutOptions): Promise<PutResult>;
  /** Deletes a key or a range. */
  delete(range: RangeInput, options?: DeleteOptions): Promise<DeleteResult>;
  /** Starts a transaction; nothing is sent before its `commit`. */
  txn(): Txn;
  /** Runs one operation. */
  do<Result>(operation: Op<Result>, options?: MutationOptions): Promise<Result>;
  /** Drops the history before a revision. */
  compact(revision: number, options?: CompactOptions): Promise<ResponseHeader>;
}

const scanSchema = z.strictObject({
  ...callFields,
  pageSize: z.number().int().min(1).optional(),
  revision: count.optional(),
  keysOnly: z.boolean().optional(),
  serializable: z.boolean().optional(),
});
const compactSchema = z.strictObject({ ...callFields, physical: z.boolean().optional() });
const pageSizeDefault = 1_000;

/** The keys and values of a space. */
export function createKv(calls: KvCalls, space: Keyspace): Kv {
  const range: Kv["range"] = async (input, options = {}) => {
    const response = await calls.range(toRangeRequest(input, options, space), options);
    return toRangeResult(response, space, headerOf(response));
  };
  const get: Kv["get"] = async (key, options) => {
    validate(bytesInput, key, "key");
    return (await range(key, options)).kvs[0];
  };
  const pages: Kv["pages"] = (input, options = {}) => {
    validate(scanSchema, options, "options of a scan");
    return pagesOf(range, input, options);
  };
  return {
    get,
    getString: async (key, options) => (await get(key, options))?.valueString,
    range,
    pages,
    async *scan(input, options) {
      for await (const page of pages(input, options)) yield* page.kvs;
    },
    async put(key, value, options = {}) {
      const response = await calls.put(toPutRequest(key, value, options, space), options);
      return toPutResult(response, space, headerOf(response));
    },
    async delete(input, options = {}) {
      const response = await calls.deleteRange(toDeleteRequest(input, options, space), options);
      return toDeleteResult(response, space, headerOf(response));
    },
    txn: () => createTxn((request, options) => calls.txn(request, options), space),
    async do(operation, options = {}) {
      validate(mutationSchema, options, "options of an operation");
      const response = await calls.run(operation.encode(space), { ...options, readOnly: operation.readOnly });
      return operation.decode(response, space, emptyHeader);
    },
    async compact(revision, options = {}) {
      validate(count, revision, "revision");
      validate(compactSchema, options, "options of a compaction");
      const { physical = false, ...rest } = options;
      return headerOf(await calls.compact({ revision: BigInt(revision), physical }, rest));
    },
  };
}

async function* pagesOf(range: Kv["range"], input: RangeInput, options: ScanOptions): AsyncGenerator<RangeResult> {
  const { pageSize = pageSizeDefault, ...rest } = options;
  let left: KeyRange = typeof input === "string" || input instanceof Uint8Array ? singleKey(input) : input;
  let revision = options.revision ?? 0;
  for (;;) {
    const page = await range(left, { ...rest, limit: pageSize, revision });
    yield page;
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined || isSingleKey(left)) return;
    // Every later page shows the store as the first one did.
    if (revision === 0) revision = page.revision;
    left = { key: keyAfter(last.key), rangeEnd: left.rangeEnd };
  }
}
