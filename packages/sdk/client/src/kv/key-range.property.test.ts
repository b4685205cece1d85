/** @module T10: ranges and namespaces hold exactly the keys they say. */
import { compareBytes, concatBytes, equalBytes, utf8 } from "@conclave/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inRange } from "../testing/model-store.ts";
import { allKeys, between, directory, fromKey, keyAfter, prefix } from "./key-range.ts";
import { createKeyspace } from "./keyspace.ts";

/** Few different bytes, so that prefixes meet; 0xff among them, which carries. */
const bytes = (minLength: number) =>
  fc
    .uint8Array({ minLength, maxLength: 4 })
    .map((array) => array.map((byte) => [0, 1, 0x2f, 0xfe, 0xff][byte % 5] ?? 0));
const anyKey = bytes(1);
const startsWith = (key: Uint8Array, start: Uint8Array) => equalBytes(key.subarray(0, start.length), start);

describe("T10: ranges", () => {
  test("prefix() holds the keys that start with it and no other", () => {
    fc.assert(
      fc.property(bytes(0), anyKey, (start, key) => {
        const range = prefix(start);
        expect(inRange(key, range.key, range.rangeEnd)).toBe(startsWith(key, start));
      }),
    );
  });

  test("prefix() leaves what it is given as it was", () => {
    const given = Buffer.from("svc/");
    prefix(given);
    expect(given.toString()).toBe("svc/");
  });

  test("directory() holds what is under a path, not what begins like it", () => {
    for (const path of ["svc/foo", "svc/foo/"]) {
      const range = directory(path);
      const holds = (key: string) => inRange(utf8(key), range.key, range.rangeEnd);
      expect(["svc/foo/", "svc/foo/1", "svc/foo", "svc/foobar", "svc/foo0"].map(holds)).toEqual([
        true,
        true,
        false,
        false,
        false,
      ]);
    }
  });

  test("fromKey(), between() and allKeys() hold what lies in them", () => {
    fc.assert(
      fc.property(anyKey, anyKey, anyKey, (one, other, key) => {
        const from = fromKey(one);
        expect(inRange(key, from.key, from.rangeEnd)).toBe(compareBytes(key, one) >= 0);
        expect(inRange(key, allKeys().key, allKeys().rangeEnd)).toBe(true);
        const [start, end] = compareBytes(one, other) < 0 ? [one, other] : [other, one];
        if (equalBytes(start, end)) expect(() => between(start, end)).toThrow("at or before its start");
        else if (!(end.length === 1 && end[0] === 0)) {
          const range = between(start, end);
          expect(inRange(key, range.key, range.rangeEnd)).toBe(
            compareBytes(key, start) >= 0 && compareBytes(key, end) < 0,
          );
        }
      }),
    );
  });

  test("keyAfter() is the next key: none lies between", () => {
    fc.assert(
      fc.property(anyKey, anyKey, (key, other) => {
        const next = keyAfter(key);
        expect(compareBytes(next, key)).toBeGreaterThan(0);
        expect(compareBytes(other, key) > 0 && compareBytes(other, next) < 0).toBe(false);
      }),
    );
  });
});

describe("T10: namespaces", () => {
  const anyRange = fc.oneof(
    anyKey.map((key) => ({ key, rangeEnd: new Uint8Array(0) })),
    bytes(0).map(prefix),
    anyKey.map(fromKey),
    fc.constant(allKeys()),
  );

  test("a range in a namespace holds the same keys as outside, and nothing else of the store", () => {
    fc.assert(
      fc.property(bytes(0), anyRange, anyKey, anyKey, (space, range, key, foreign) => {
        const keyspace = createKeyspace(space);
        const stored = keyspace.range(range);
        expect(inRange(keyspace.key(key), stored.key, stored.rangeEnd)).toBe(inRange(key, range.key, range.rangeEnd));
        if (!startsWith(foreign, space)) expect(inRange(foreign, stored.key, stored.rangeEnd)).toBe(false);
      }),
    );
  });

  test("a key comes back as it went in", () => {
    fc.assert(
      fc.property(bytes(0), anyKey, (space, key) => {
        const keyspace = createKeyspace(space);
        const stored = keyspace.key(key);
        expect(equalBytes(stored, concatBytes([space, key]))).toBe(true);
        expect(keyspace.holds(stored)).toBe(true);
        expect(equalBytes(keyspace.strip(stored), key)).toBe(true);
      }),
    );
  });

  test("hold no key that is their prefix itself, or of another namespace", () => {
    const keyspace = createKeyspace(utf8("app/"));
    expect(keyspace.holds(utf8("app/"))).toBe(false);
    expect(keyspace.holds(utf8("apple"))).toBe(false);
    expect(() => keyspace.key("")).toThrow("key is not provided");
  });
});
