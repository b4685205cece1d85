import fc from "fast-check";
import { expect, test } from "vitest";
import type { KeyRange } from "./key-range.ts";
import { IntervalMap } from "./watch-interval-map.ts";

function holders(map: IntervalMap<string>, key: string): string[] {
  const found: string[] = [];
  map.visitHolders(key, (value) => found.push(value));
  return found.sort();
}

test("a key is held by every range around it; the end is outside, and an undefined end is above all", () => {
  const map = new IntervalMap<string>();
  map.add({ start: "a", end: "c" }, "a to c");
  map.add({ start: "b", end: "d" }, "b to d");
  map.add({ start: "b", end: undefined }, "b and above");

  expect(holders(map, "a")).toEqual(["a to c"]);
  expect(holders(map, "b")).toEqual(["a to c", "b and above", "b to d"]);
  expect(holders(map, "c")).toEqual(["b and above", "b to d"]);
  expect(holders(map, "zzz")).toEqual(["b and above"]);
  expect(holders(map, "")).toEqual([]);
});

test("a range that was removed holds nothing; removing what is not there does nothing", () => {
  const map = new IntervalMap<string>();
  map.add({ start: "a", end: "z" }, "kept");
  map.add({ start: "a", end: "c" }, "removed");
  map.delete({ start: "a", end: "c" });
  map.delete({ start: "a", end: "d" });
  expect(holders(map, "b")).toEqual(["kept"]);
  expect(map.get({ start: "a", end: "c" })).toBeUndefined();
  expect(map.get({ start: "a", end: "z" })).toBe("kept");
});

test("ranges added in order are found without a deep path", () => {
  const map = new IntervalMap<number>();
  const key = (index: number) => String(index).padStart(6, "0");
  for (let index = 0; index < 20_000; index++) map.add({ start: key(index), end: key(index + 1) }, index);
  const found: number[] = [];
  map.visitHolders(key(12_345), (value) => found.push(value));
  expect(found).toEqual([12_345]);
  for (let index = 0; index < 20_000; index++) map.delete({ start: key(index), end: key(index + 1) });
  expect(map.holds(key(1))).toBe(false);
});

const word = fc.string({ unit: fc.constantFrom("a", "b", "c", "\0", "\xff"), maxLength: 3 });
const range: fc.Arbitrary<KeyRange> = fc
  .record({ start: word, end: fc.option(word, { nil: undefined }) })
  .filter(({ start, end }) => end === undefined || start < end);

test("any sequence of additions and removals finds what a scan of all ranges finds", () => {
  const step = fc.record({ range, removes: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60, size: "max" }),
      fc.array(word, { minLength: 1, maxLength: 10 }),
      (steps, keys) => {
        const map = new IntervalMap<string>();
        const model = new Map<string, KeyRange>();
        for (const { range, removes } of steps) {
          const name = JSON.stringify([range.start, range.end]);
          if (removes) map.delete(range);
          else if (!model.has(name)) map.add(range, name);
          if (removes) model.delete(name);
          else model.set(name, range);
          for (const key of keys) {
            const expected = [...model]
              .filter(([, { start, end }]) => start <= key && (end === undefined || key < end))
              .map(([held]) => held)
              .sort();
            expect([holders(map, key), map.holds(key)]).toEqual([expected, expected.length > 0]);
          }
        }
      },
    ),
  );
});
