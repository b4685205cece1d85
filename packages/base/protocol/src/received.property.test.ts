import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeStrict } from "./decode-strict.ts";
import { Compare, PutRequest, RequestOp, TxnRequest } from "./gen/etcdserverpb/rpc.ts";
import { decodeReceived, receivedBytes } from "./received.ts";

const put = fc.record({
  key: fc.uint8Array({ maxLength: 300 }),
  value: fc.uint8Array({ maxLength: 300 }),
  lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  prevKv: fc.boolean(),
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
});

const txn = fc.record({
  compare: fc.array(
    fc.uint8Array({ maxLength: 4 }).map((key) => Compare.fromPartial({ key, target: 1, result: 2 })),
    { maxLength: 3 },
  ),
  success: fc.array(
    put.map((value) => RequestOp.fromPartial({ request: { $case: "requestPut", value } })),
    { maxLength: 3 },
  ),
  failure: fc.constant<RequestOp[]>([]),
});

/** Puts as a client may write them who keeps to no order, or to a later version. */
const odd = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((key) => [0x0a, key.length, ...key]),
      fc.uint8Array({ maxLength: 20 }).map((value) => [0x12, value.length, ...value]),
      fc.constantFrom([0x18, 7], [0x20, 1], [0x0a, 0x81, 0, 1], [0x78, 1], [0x12, 0x80, 0]),
      fc.uint8Array({ maxLength: 4 }).map((noise) => [...noise]),
    ),
    { maxLength: 4 },
  )
  .map((pieces) => Uint8Array.from(pieces.flat()));

function outcome<R>(run: () => R): { readonly value: R } | { readonly error: string } {
  try {
    return { value: run() };
  } catch (error) {
    return { error: String(error) };
  }
}

describe("decodeReceived()", () => {
  test("reads what clients write, and keeps their bytes", () => {
    const check = <Message extends object>(
      codec: typeof PutRequest | typeof TxnRequest,
      request: Message,
      bytes: Uint8Array,
    ) => {
      const received = decodeReceived<object>(codec, bytes);
      expect({ ...received }).toEqual(request);
      expect(receivedBytes(received)).toBe(bytes);
    };
    fc.assert(fc.property(put, (request) => check(PutRequest, request, PutRequest.encode(request).finish())));
    fc.assert(fc.property(txn, (request) => check(TxnRequest, request, TxnRequest.encode(request).finish())));
  });

  test("comes to the verdict of decodeStrict() on anything else", () => {
    fc.assert(
      fc.property(odd, (bytes) => {
        const received = outcome(() => ({ ...decodeReceived(PutRequest, bytes) }));
        expect(received).toEqual(outcome(() => decodeStrict(PutRequest, bytes)));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ["a field that is not known", [0x0a, 1, 1, 0x78, 1]],
    ["a field twice", [0x0a, 1, 1, 0x0a, 1, 2]],
    ["fields in another order", [0x12, 1, 1, 0x0a, 1, 2]],
  ])("does not keep bytes with %s, which others may read otherwise", (_what, bytes) => {
    expect(receivedBytes(decodeReceived(PutRequest, Uint8Array.from(bytes)))).toBeUndefined();
    const nested = Uint8Array.from([0x12, bytes.length + 2, 0x12, bytes.length, ...bytes]);
    expect(receivedBytes(decodeReceived(TxnRequest, nested))).toBeUndefined();
  });

  test("does not lend the bytes of a request to its copies", () => {
    const request = decodeReceived(PutRequest, Uint8Array.from([0x0a, 1, 1]));
    expect(receivedBytes(request)).toBeDefined();
    expect(receivedBytes({ ...request, lease: 7n })).toBeUndefined();
  });
});
