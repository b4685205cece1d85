import { utf8 } from "@conclave/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diffValues } from "./diff.ts";
import { type GraySelection, isChosen, parseGray, placeInHundred } from "./gray.ts";
import { publicationKey, sequenceOf } from "./keys.ts";
import { decodeRecord, encodeRecord } from "./record.ts";

const ids = Array.from({ length: 1_000 }, (_, at) => `orders-${at}`);

describe("a gray release", () => {
  const gray = (selection: Partial<GraySelection>) => ({
    percent: 100,
    labels: {},
    salt: "config/limits",
    ...selection,
  });

  test("puts an instance where anybody can compute it: the first 32 bits of SHA-256", () => {
    // printf 'config/limits\norders-1' | sha256sum | cut -c1-8
    expect(placeInHundred("config/limits", "orders-1")).toBeCloseTo((0x4d8e5768 / 2 ** 32) * 100, 10);
  });

  test("chooses about as many as it says, and with more percent the same ones and others", () => {
    const chosen = (percent: number) => ids.filter((id) => isChosen(gray({ percent }), { id }));
    expect(chosen(0)).toEqual([]);
    expect(chosen(100)).toEqual(ids);
    for (const percent of [1, 10, 50]) {
      expect(chosen(percent).length / 10).toBeGreaterThan(percent * 0.5);
      expect(chosen(percent).length / 10).toBeLessThan(percent * 1.5);
      expect(new Set(chosen(percent * 1.5))).toEqual(new Set([...chosen(percent * 1.5), ...chosen(percent)]));
    }
  });

  test("chooses by labels: all of them, each with one of its values", () => {
    const labels = { zone: ["north", "west"], tier: "test" };
    const has = (own: Record<string, string>) => isChosen(gray({ labels }), { id: "a", labels: own });
    expect(has({ zone: "west", tier: "test", more: "x" })).toBe(true);
    expect(has({ zone: "west" })).toBe(false);
    expect(has({ zone: "south", tier: "test" })).toBe(false);
    expect(isChosen(gray({}), undefined)).toBe(false);
  });

  test.each(["", "{}", "{}\n{}", 'null\n{"limit":1}', '{"percent":200}\n1'])("is none if the key holds %j", (text) => {
    expect(parseGray({ revision: 1, bytes: utf8(text) })).toBeUndefined();
  });
});

describe("a record", () => {
  test("gives back any value, and what is known of it", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.dictionary(fc.string(), fc.string()), (value, about) => {
        const record = decodeRecord(encodeRecord(about, value));
        expect(Buffer.from(record.value)).toEqual(Buffer.from(value));
        expect(JSON.stringify(record.about)).toBe(JSON.stringify(about));
      }),
    );
  });

  test("of something else has nothing known of it", () => {
    expect(decodeRecord(utf8("no record")).about).toBeUndefined();
    expect(decodeRecord(utf8("no\nrecord")).about).toBeUndefined();
  });

  test("is in its place by its number", () => {
    const keys = [9, 10, 100, 2 ** 40].map((sequence) => publicationKey("a", sequence));
    expect([...keys].sort()).toEqual(keys);
    expect(keys.map(sequenceOf)).toEqual([9, 10, 100, 2 ** 40]);
  });
});

describe("a difference", () => {
  test.each([
    ["nothing", { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, []],
    ["a value", 1, 2, [{ path: [], before: 1, after: 2 }]],
    ["kinds", { a: [] }, { a: {} }, [{ path: ["a"], before: [], after: {} }]],
    ["a field deep inside", { a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }, [{ path: ["a", 1, "b"], before: 2, after: 3 }]],
    [
      "fields that came and went",
      { a: 1 },
      { b: null },
      [
        { path: ["a"], before: 1, after: undefined },
        { path: ["b"], before: undefined, after: null },
      ],
    ],
  ])("tells %s", (_what, before, after, differences) => {
    expect(diffValues(before, after)).toEqual(differences);
  });

  test("is empty only between equal values", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (before, after) => {
        expect(diffValues(before, structuredClone(before))).toEqual([]);
        expect(diffValues(before, after).length > 0).toBe(JSON.stringify(before) !== JSON.stringify(after));
      }),
    );
  });
});
