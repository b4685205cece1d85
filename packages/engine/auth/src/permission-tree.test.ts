import { describe, expect, test } from "vitest";
import { keyInterval } from "./key-interval.ts";
import { PermissionTree } from "./permission-tree.ts";

const interval = (start: string, end = ""): ReturnType<typeof keyInterval> =>
  keyInterval(Buffer.from(start), Buffer.from(end));

describe("PermissionTree", () => {
  const tree = new PermissionTree([interval("a", "c"), interval("b", "f"), interval("m", "p"), interval("p", "q")]);

  test.each([
    ["a", "f", true],
    ["a", "g", false],
    ["b", "e", true],
    ["m", "q", true],
    ["e", "n", false],
    ["a", "\0", false],
    ["f", "", false],
    ["ezzz", "", true],
    ["0", "b", false],
    ["", "", false],
  ])("permissions that overlap and meet cover [%j, %j): %s", (start, end, covered) => {
    expect(tree.covers(interval(start, end))).toBe(covered);
  });

  test("only a permission without an end covers a range without one", () => {
    expect(new PermissionTree([interval("a", "\0")]).covers(interval("b", "\0"))).toBe(true);
    expect(new PermissionTree([interval("a", "\xff\xff")]).covers(interval("b", "\0"))).toBe(false);
  });

  test("single keys side by side make no range", () => {
    expect(new PermissionTree([interval("a"), interval("b")]).covers(interval("a", "c"))).toBe(false);
    expect(new PermissionTree([interval("a"), interval("a\0")]).covers(interval("a", "a\0\0"))).toBe(true);
  });

  test("without permissions nothing is covered", () => {
    expect(new PermissionTree([]).covers(interval("a"))).toBe(false);
  });
});
