import { expect, it } from "vitest";
import { ByteSlab } from "./byte-slab.ts";

it("hands out zeroed arrays of the length asked for, none of which overlap", () => {
  const slab = new ByteSlab();
  const lengths = [0, 1, 17, 300, 16_383, 16_384, 200_000, 65_536, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000, 1];
  const arrays = lengths.map((length) => slab.take(length));
  expect(arrays.map(({ length }) => length)).toEqual(lengths);
  expect(arrays.every((array) => array.every((byte) => byte === 0))).toBe(true);
  for (const [index, array] of arrays.entries()) array.fill(index + 1);
  expect(arrays.every((array, index) => array.every((byte) => byte === index + 1))).toBe(true);
});
