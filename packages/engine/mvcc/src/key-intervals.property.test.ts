import * as fc from "fast-check";
import { expect, it } from "vitest";
import { type KeyInterval, KeyIntervals } from "./key-intervals.ts";

const key = fc.constantFrom("a", "aa", "ab", "b", "c", "ca", "d", "e");
const intervals = fc.array(fc.record({ start: key, end: key }), { maxLength: 8 });

const holds = (list: readonly KeyInterval[], name: string) =>
  list.some(({ start, end }) => start <= name && name < end);

it("holds the keys of its intervals and of what is added, whatever overlaps", () => {
  fc.assert(
    fc.property(intervals, intervals, key, (first, second, name) => {
      const set = new KeyIntervals(first);
      expect(set.has(name)).toBe(holds(first, name));
      set.addAll(new KeyIntervals(second));
      expect(set.has(name)).toBe(holds([...first, ...second], name));
    }),
  );
});
