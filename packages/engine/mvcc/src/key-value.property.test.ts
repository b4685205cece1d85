import { ByteSlab, binaryString, emptyBytes, equalBytes } from "@conclave/base";
import { KeyValue } from "@conclave/protocol/mvccpb";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { decodeIndexedPair, decodeKey, decodeKeyValue, encodeKeyValue } from "./key-value.ts";

const counter = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER));
const bytes = fc.oneof(fc.uint8Array(), fc.uint8Array({ minLength: 120, maxLength: 300 }));
const pair: fc.Arbitrary<KeyValue> = fc.record({
  key: bytes,
  createRevision: counter,
  modRevision: counter,
  version: counter,
  value: bytes,
  lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
});

it("encodes as the generated codec does, byte for byte", () => {
  const slab = new ByteSlab();
  fc.assert(
    fc.property(pair, (kv) => {
      expect([...encodeKeyValue(kv, slab)]).toEqual([...KeyValue.encode(kv).finish()]);
    }),
  );
});

it("decodes what either has encoded", () => {
  fc.assert(
    fc.property(pair, (kv) => {
      const encoded = KeyValue.encode(kv).finish();
      expect(decodeKeyValue(encoded)).toEqual(KeyValue.decode(encoded));
      expect(decodeKey(encoded)).toEqual(kv.key);
      const { createRevision, version, lease } = kv;
      expect(decodeIndexedPair(encoded)).toEqual({ key: binaryString(kv.key), createRevision, version, lease });
    }),
  );
});

it("leaves earlier pairs alone when it encodes more into the same slab", () => {
  const slab = new ByteSlab();
  const kvs = Array.from({ length: 500 }, (_, n) =>
    KeyValue.fromPartial({ key: new Uint8Array(200).fill(n), value: new Uint8Array(n * 50).fill(n) }),
  );
  const encoded = kvs.map((kv) => encodeKeyValue(kv, slab));
  const isWhole = (kv: KeyValue, n: number) => equalBytes(KeyValue.encode(kv).finish(), encoded[n] ?? emptyBytes);
  expect(kvs.every(isWhole)).toBe(true);
});

it.each([
  ["that ends within a field", [0x0a, 0x05, 0x61]],
  ["that ends within a number", [0x10, 0x80]],
  ["with a field of a later version", [0x0a, 0x01, 0x61, 0x38, 0x01]],
])("refuses a stored pair %s", (_, damaged) => {
  expect(() => decodeKeyValue(Uint8Array.from(damaged))).toThrow("Invariant broken");
  expect(() => decodeIndexedPair(Uint8Array.from(damaged))).toThrow("Invariant broken");
});
