/** @module What reads, puts and deletions can be told, and what they answer. */

import {
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "@conclave/protocol/etcdserverpb";
import * as z from "zod";
import type { CallOptions } from "../calls/call-scope.ts";
import { bytesInput, callFields, count, id64, rangeInput, validate, validateOptions } from "../validate.ts";
import { type BytesInput, type RangeInput, toBytes } from "./key-range.ts";
import { headerOf, type KeyValue, type ResponseHeader, toKeyValue } from "./key-value.ts";
import type { Keyspace } from "./keyspace.ts";

/** What a read can be told. */
export interface RangeSelection {
  /** Most pairs to return; 0 for no limit. Default: 0. */
  readonly limit?: number | undefined;
  /** The revision to read at; 0 for the present. Default: 0. */
  readonly revision?: number | undefined;
  /** What to sort by; default: `"key"`, which the store does by itself. */
  readonly sortBy?: "key" | "version" | "createRevision" | "modRevision" | "value" | undefined;
  /** Which way to sort; default: `"ascending"`. */
  readonly order?: "ascending" | "descending" | undefined;
  /**
   * Whether the member may answer from what it has applied, without asking the others. Faster, works without a
   * quorum, and may be old; but see {@link RangeOptions.monotonic}. Default: false.
   */
  readonly serializable?: boolean | undefined;
  /** Leave the values out; default: false. */
  readonly keysOnly?: boolean | undefined;
  /** Return the count alone; default: false. */
  readonly countOnly?: boolean | undefined;
  /** Only keys last changed at or after this revision; default: 0. */
  readonly minModRevision?: number | undefined;
  /** Only keys last changed at or before this revision; 0 for no bound. Default: 0. */
  readonly maxModRevision?: number | undefined;
  /** Only keys that came to be at or after this revision; default: 0. */
  readonly minCreateRevision?: number | undefined;
  /** Only keys that came to be at or before this revision; 0 for no bound. Default: 0. */
  readonly maxCreateRevision?: number | undefined;
}

/** What a read can be told, with the time it may take. */
export interface RangeOptions extends RangeSelection, CallOptions {
  /**
   * For serializable reads: refuse an answer that is older than anything this client has seen, and ask another
   * member. Default: true.
   */
  readonly monotonic?: boolean | undefined;
}

/** What {@link RangeOptions} has for a single key. */
export interface GetOptions extends CallOptions {
  /** The revision to read at; 0 for the present. Default: 0. */
  readonly revision?: number | undefined;
  /** See {@link RangeSelection.serializable}. */
  readonly serializable?: boolean | undefined;
  /** See {@link RangeOptions.monotonic}. */
  readonly monotonic?: boolean | undefined;
}

/** What a read answers. */
export interface RangeResult {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** The revision of the store when it answered: read at it again for the same picture. */
  readonly revision: number;
  /** The pairs, in the order asked for. */
  readonly kvs: readonly KeyValue[];
  /** Whether the limit left some out. */
  readonly more: boolean;
  /** How many keys the range holds, whatever the limit. */
  readonly count: number;
}

/** How a put is done. */
export interface PutSelection {
  /** The lease to hang the key on; 0n for none. Default: 0n. */
  readonly lease?: bigint | undefined;
  /** Return what the key was before; default: false. */
  readonly prevKv?: boolean | undefined;
  /** Keep the value and change the lease only; give an empty value. Default: false. */
  readonly ignoreValue?: boolean | undefined;
  /** Keep the lease and change the value only; default: false. */
  readonly ignoreLease?: boolean | undefined;
}

/** The time a mutation may take, and whether it may be repeated. */
export interface MutationOptions extends CallOptions {
  /**
   * Promises that doing it twice does no harm, so that it is tried again even when a try may have been applied.
   * Default: false; then such a try ends in `OUTCOME_UNKNOWN`.
   */
  readonly idempotent?: boolean | undefined;
}

/** What a put can be told. */
export interface PutOptions extends PutSelection, MutationOptions {}

/** What a put answers. */
export interface PutResult {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** The revision of this put. */
  readonly revision: number;
  /** What the key was before, if asked for and there was anything. */
  readonly prevKv: KeyValue | undefined;
}

/** How a deletion is done. */
export interface DeleteSelection {
  /** Return what was deleted; default: false. */
  readonly prevKv?: boolean | undefined;
}

/** What a deletion can be told. */
export interface DeleteOptions extends DeleteSelection, MutationOptions {}

/** What a deletion answers. */
export interface DeleteResult {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** The revision of this deletion, or the present one if nothing was there. */
  readonly revision: number;
  /** How many keys are gone. */
  readonly deleted: number;
  /** What they were, if asked for. */
  readonly prevKvs: readonly KeyValue[];
}

const flag = z.boolean().optional();
const bound = count.optional();

const rangeSchema = z.strictObject({
  ...callFields,
  limit: bound,
  revision: bound,
  sortBy: z.enum(["key", "version", "createRevision", "modRevision", "value"]).optional(),
  order: z.enum(["ascending", "descending"]).optional(),
  serializable: flag,
  keysOnly: flag,
  countOnly: flag,
  minModRevision: bound,
  maxModRevision: bound,
  minCreateRevision: bound,
  maxCreateRevision: bound,
  monotonic: flag,
});

const mutationFields = { ...callFields, idempotent: flag };
/** The shape of {@link MutationOptions}. */
export const mutationSchema: z.ZodType = z.strictObject(mutationFields);
const putSchema = z.strictObject({
  ...mutationFields,
  lease: id64.optional(),
  prevKv: flag,
  ignoreValue: flag,
  ignoreLease: flag,
});
const deleteSchema = z.strictObject({ ...mutationFields, prevKv: flag });

const sortTargets = {
  key: SortTarget.KEY,
  version: SortTarget.VERSION,
  createRevision: SortTarget.CREATE,
  modRevision: SortTarget.MOD,
  value: SortTarget.VALUE,
} as const;

/** The request of a read. */
export function toRangeRequest(range: RangeInput, options: RangeOptions, space: Keyspace): RangeRequest {
  validate(rangeInput, range, "range");
  validateOptions(rangeSchema, options, "options of a read");
  const { key, rangeEnd } = space.range(range);
  // Every field by name: a literal that begins with others' fields is made six times as slowly.
  return {
    key,
    rangeEnd,
    limit: toInt64(options.limit),
    revision: toInt64(options.revision),
    sortOrder: sortOrderOf(options),
    sortTarget: sortTargets[options.sortBy ?? "key"],
    serializable: options.serializable ?? false,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    minModRevision: toInt64(options.minModRevision),
    maxModRevision: toInt64(options.maxModRevision),
    minCreateRevision: toInt64(options.minCreateRevision),
    maxCreateRevision: toInt64(options.maxCreateRevision),
  };
}

/** Most are left out, and making a bigint of a number is not free. */
function toInt64(value: number | undefined): bigint {
  return value === undefined ? 0n : BigInt(value);
}

function sortOrderOf({ sortBy, order }: RangeSelection): SortOrder {
  if (order === "descending") return SortOrder.DESCEND;
  return order === undefined && sortBy === undefined ? SortOrder.NONE : SortOrder.ASCEND;
}

/** The answer to a read. */
export function toRangeResult(response: RangeResponse, space: Keyspace, header: ResponseHeader): RangeResult {
  return {
    header,
    revision: header.revision,
    kvs: response.kvs.map((kv) => toKeyValue(kv, space)),
    more: response.more,
    count: response.count,
  };
}

/** The request of a put. */
export function toPutRequest(key: BytesInput, value: BytesInput, options: PutOptions, space: Keyspace): PutRequest {
  validate(bytesInput, key, "key");
  validate(bytesInput, value, "value");
  validateOptions(putSchema, options, "options of a put");
  return {
    key: space.key(key),
    value: toBytes(value),
    lease: options.lease ?? 0n,
    prevKv: options.prevKv ?? false,
    ignoreValue: options.ignoreValue ?? false,
    ignoreLease: options.ignoreLease ?? false,
  };
}

/** The answer to a put. */
export function toPutResult(response: PutResponse, space: Keyspace, header: ResponseHeader): PutResult {
  const { prevKv } = response;
  return { header, revision: header.revision, prevKv: prevKv === undefined ? undefined : toKeyValue(prevKv, space) };
}

/** The request of a deletion. */
export function toDeleteRequest(range: RangeInput, options: DeleteOptions, space: Keyspace): DeleteRangeRequest {
  validate(rangeInput, range, "range");
  validateOptions(deleteSchema, options, "options of a deletion");
  return { ...space.range(range), prevKv: options.prevKv ?? false };
}

/** The answer to a deletion. */
export function toDeleteResult(response: DeleteRangeResponse, space: Keyspace, header: ResponseHeader): DeleteResult {
  return {
    header,
    revision: header.revision,
    deleted: response.deleted,
    prevKvs: response.prevKvs.map((kv) => toKeyValue(kv, space)),
  };
}

/**
 * The header of an operation's answer. Inside a transaction members fill in the revision alone (etcd) or nothing;
 * the rest is the transaction's.
 */
export function innerHeader(response: Parameters<typeof headerOf>[0], outer: ResponseHeader): ResponseHeader {
  const header = headerOf(response);
  if (header.clusterId !== 0n) return header;
  return header.revision === 0 ? outer : { ...outer, revision: header.revision };
}
