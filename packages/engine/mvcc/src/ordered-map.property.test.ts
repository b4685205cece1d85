import * as fc from "fast-check";
import { expect, it } from "vitest";
import { OrderedMap } from "./ordered-map.ts";

const key = fc.oneof(fc.nat(2_000).map(String), fc.string({ maxLength: 3 }));
const step = fc.record({
  kind: fc.constantFrom("set" as const, "set" as const, "delete" as const),
  key,
  value: fc.nat(),
});

function scanned(map: OrderedMap<number>, start: string, end: string | undefined): [string, number][] {
  const entries: [string, number][] = [];
  map.scan(start, end, (name, value) => entries.push([name, value]) > 0);
  return entries;
}

function sorted(model: ReadonlyMap<string, number>): [string, number][] {
  return [...model].sort(([left], [right]) => (left < right ? -1 : 1));
}

it("behaves like a Map that is sorted for every scan", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2_000, size: "max" }), key, fc.option(key), (steps, start, end) => {
      const map = new OrderedMap<number>();
      const model = new Map<string, number>();
      for (const { kind, key: name, value } of steps) {
        if (kind === "set") map.set(name, value);
        if (kind === "set") model.set(name, value);
        if (kind === "delete") map.delete(name);
        if (kind === "delete") model.delete(name);
        expect(map.get(name)).toBe(model.get(name));
      }
      expect(map.size).toBe(model.size);
      const expected = sorted(model);
      expect(scanned(map, "", undefined)).toEqual(expected);
      const inRange = expected.filter(([name]) => name >= start && (end === null || name < end));
      expect(scanned(map, start, end ?? undefined)).toEqual(inRange);
    }),
    { numRuns: 30 },
  );
}, 30_000);

it.each([
  ["ascending", (n: number) => n],
  ["descending", (n: number) => 9_999 - n],
  ["mixed", (n: number) => (n * 7_919) % 10_000],
])("holds ten thousand keys set in %s order, and none after they are deleted in another", (_, order) => {
  const map = new OrderedMap<number>();
  const name = (n: number) => String(n).padStart(5, "0");
  for (let n = 0; n < 10_000; n++) map.set(name(order(n)), n);
  expect(scanned(map, "", undefined).map(([key]) => key)).toEqual(Array.from({ length: 10_000 }, (__, n) => name(n)));
  for (let n = 0; n < 10_000; n++) map.delete(name((n * 3_001) % 10_000));
  expect(map.size).toBe(0);
  expect(scanned(map, "", undefined)).toEqual([]);
  map.set("again", 1);
  expect(scanned(map, "", undefined)).toEqual([["again", 1]]);
});

it("ends a scan where the visitor says so", () => {
  const map = new OrderedMap<number>();
  for (let n = 0; n < 500; n++) map.set(String(n).padStart(3, "0"), n);
  const seen: number[] = [];
  map.scan("100", undefined, (_, value) => seen.push(value) < 3);
  expect(seen).toEqual([100, 101, 102]);
});
