/** @module Random histories: commands over few keys, so that they meet. */
import { utf8 } from "@conclave/base";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import * as fc from "fast-check";

/** What may be done to a store. */
export type Command =
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "deleteRange"; readonly request: DeleteRangeRequest }
  | { readonly kind: "deleteKeys"; readonly keys: string[] }
  | { readonly kind: "range"; readonly request: RangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "compact"; readonly revision: number }
  | { readonly kind: "compactStep"; readonly limit: number }
  | { readonly kind: "restart" };

const keyText = fc.constantFrom("a", "aa", "ab", "b", "c", "\xff");
const key = keyText.map((text) => Uint8Array.from(text, (char) => char.charCodeAt(0)));
const rangeEnd = fc.oneof(
  { arbitrary: fc.constant(utf8("")), weight: 3 },
  { arbitrary: fc.constantFrom("\0", "ab", "b", "d").map(utf8), weight: 4 },
);
const value = fc.constantFrom("", "x", "y", "zz").map(utf8);
const lease = fc.constantFrom(0n, 0n, 1n, 2n, 9n);
const smallRevision = fc.bigInt({ min: -2n, max: 25n });
const bound = fc.oneof({ arbitrary: fc.constant(0n), weight: 4 }, { arbitrary: smallRevision, weight: 1 });
const limit = fc.constantFrom(0n, 0n, 1n, 2n, 3n, -1n, 2n ** 63n - 1n);

const put: fc.Arbitrary<PutRequest> = fc
  .record({
    key,
    value,
    lease,
    prevKv: fc.boolean(),
    ignoreValue: fc.boolean(),
    ignoreLease: fc.boolean(),
  })
  .map((request) => ({
    ...request,
    value: request.ignoreValue ? utf8("") : request.value,
    lease: request.ignoreLease ? 0n : request.lease,
  }));

const deleteRange: fc.Arbitrary<DeleteRangeRequest> = fc.record({ key, rangeEnd, prevKv: fc.boolean() });

const range: fc.Arbitrary<RangeRequest> = fc.record({
  key,
  rangeEnd,
  limit,
  revision: bound,
  sortOrder: fc.constantFrom(0, 1, 2),
  sortTarget: fc.constantFrom(0, 1, 2, 3, 4),
  serializable: fc.boolean(),
  keysOnly: fc.boolean(),
  countOnly: fc.boolean(),
  minModRevision: bound,
  maxModRevision: bound,
  minCreateRevision: bound,
  maxCreateRevision: bound,
});

const scalar = fc.bigInt({ min: -1n, max: 12n });
const targetUnion: fc.Arbitrary<{ target: Compare["target"]; targetUnion: Compare["targetUnion"] }> = fc.oneof(
  scalar.map((value) => ({ target: 0 as const, targetUnion: { $case: "version" as const, value } })),
  scalar.map((value) => ({ target: 1 as const, targetUnion: { $case: "createRevision" as const, value } })),
  scalar.map((value) => ({ target: 2 as const, targetUnion: { $case: "modRevision" as const, value } })),
  value.map((value) => ({ target: 3 as const, targetUnion: { $case: "value" as const, value } })),
  lease.map((value) => ({ target: 4 as const, targetUnion: { $case: "lease" as const, value } })),
);
const compare: fc.Arbitrary<Compare> = fc
  .record({ key, rangeEnd, result: fc.constantFrom(0, 1, 2, 3), union: targetUnion })
  .map(({ union, ...rest }) => ({ ...rest, ...union }));

/** An operation; nested transactions are as deep as `depth` allows. */
function operation(depth: number): fc.Arbitrary<RequestOp> {
  return fc.oneof(
    put.map((value) => ({ request: { $case: "requestPut" as const, value } })),
    deleteRange.map((value) => ({ request: { $case: "requestDeleteRange" as const, value } })),
    range.map((value) => ({ request: { $case: "requestRange" as const, value } })),
    ...(depth === 0 ? [] : [txn(depth - 1).map((value) => ({ request: { $case: "requestTxn" as const, value } }))]),
  );
}

function txn(depth: number): fc.Arbitrary<TxnRequest> {
  const operations = fc.array(operation(depth), { maxLength: 4 });
  return fc.record({ compare: fc.array(compare, { maxLength: 2 }), success: operations, failure: operations });
}

const command: fc.Arbitrary<Command> = fc.oneof(
  { arbitrary: put.map((request) => ({ kind: "put" as const, request })), weight: 8 },
  { arbitrary: deleteRange.map((request) => ({ kind: "deleteRange" as const, request })), weight: 4 },
  { arbitrary: fc.array(keyText, { maxLength: 3 }).map((keys) => ({ kind: "deleteKeys" as const, keys })), weight: 1 },
  { arbitrary: txn(2).map((request) => ({ kind: "txn" as const, request })), weight: 5 },
  { arbitrary: range.map((request) => ({ kind: "range" as const, request })), weight: 6 },
  { arbitrary: fc.nat(25).map((revision) => ({ kind: "compact" as const, revision })), weight: 1 },
  { arbitrary: fc.integer({ min: 1, max: 4 }).map((limit) => ({ kind: "compactStep" as const, limit })), weight: 2 },
  { arbitrary: fc.constant({ kind: "restart" as const }), weight: 1 },
);

/** Histories of up to forty commands. */
export const commands: fc.Arbitrary<Command[]> = fc.array(command, { maxLength: 40, size: "max" });
