import { utf8, utf8Text } from "@conclave/base";
import {
  type Compare,
  DeleteRangeRequest,
  LeaseTimeToLiveResponse,
  PutRequest,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
} from "@conclave/protocol/etcdserverpb";
import { expect, test } from "vitest";
import { KeyNamespace } from "./key-namespace.ts";

const inside = new KeyNamespace(utf8("app/"));
const everything = new KeyNamespace(utf8(""));

const range = (key: string, rangeEnd = "") => RangeRequest.fromPartial({ key: utf8(key), rangeEnd: utf8(rangeEnd) });
const shown = ({ key, rangeEnd }: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }) => [
  utf8Text(key),
  utf8Text(rangeEnd),
];

test.each([
  [range("a"), ["app/a", ""]],
  [range("a", "b"), ["app/a", "app/b"]],
  [range("a", "\0"), ["app/a", "app0"]],
  [range("\0", "\0"), ["app/\0", "app0"]],
])("ranges stay within it %#", (request, expected) => {
  expect(shown(inside.range(request))).toEqual(expected);
  expect(everything.range(request)).toBe(request);
});

test("an empty key stays refused, but for a watcher it is the lowest", () => {
  const empty = { name: "WireError", code: "EmptyKey" };
  expect(() => inside.range(range(""))).toThrow(expect.objectContaining(empty));
  expect(() => inside.put(PutRequest.fromPartial({}))).toThrow(expect.objectContaining(empty));
  expect(() => inside.deleteRange(DeleteRangeRequest.fromPartial({}))).toThrow(expect.objectContaining(empty));
  expect(shown(inside.watch(WatchCreateRequest.fromPartial({ rangeEnd: utf8("\0") })))).toEqual(["app/\0", "app0"]);
});

test("transactions are rewritten however deep they nest, comparisons included", () => {
  const put = { request: { $case: "requestPut" as const, value: PutRequest.fromPartial({ key: utf8("k") }) } };
  const compare = [{ key: utf8("c"), rangeEnd: utf8("d") }] as Compare[];
  const inner = TxnRequest.fromPartial({ compare, success: [put], failure: [] });
  const nested = { request: { $case: "requestTxn" as const, value: inner } };
  const outer = inside.txn(TxnRequest.fromPartial({ compare, success: [nested], failure: [put] }));
  expect(jsonOf(outer)).toContain('"app/c","rangeEnd":"app/d"');
  const keys = jsonOf(outer).match(/app\/\w/g);
  expect(keys).toEqual(["app/c", "app/d", "app/c", "app/d", "app/k", "app/k"]);
});

/** A message as JSON, its bytes as text. */
function jsonOf(message: unknown): string {
  return JSON.stringify(message, function (this: Record<string, unknown>, name, shown) {
    // A buffer has become an object of its own by the time it is shown.
    const value = this[name];
    if (typeof value === "bigint") return String(value);
    return value instanceof Uint8Array ? utf8Text(value) : shown;
  });
}

test("answers lose the prefix, in transactions too", () => {
  const read = RangeResponse.fromPartial({ kvs: [{ key: utf8("app/a") }] });
  const txn = TxnResponse.fromPartial({ responses: [{ response: { $case: "responseRange", value: read } }] });
  expect(jsonOf(inside.rangeResponse(read))).toContain('"key":"a"');
  expect(jsonOf(inside.txnResponse(txn))).toContain('"key":"a"');
  expect(everything.rangeResponse(read)).toBe(read);
});

test("of the keys of a lease only its own are told", () => {
  const answer = LeaseTimeToLiveResponse.fromPartial({ keys: [utf8("app/a"), utf8("other"), utf8("ap")] });
  expect(inside.timeToLiveResponse(answer).keys.map(utf8Text)).toEqual(["a"]);
  expect(everything.timeToLiveResponse(answer).keys).toHaveLength(3);
});
