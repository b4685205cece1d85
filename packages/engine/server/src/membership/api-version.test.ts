import { expect, test } from "vitest";
import { apiLevel, compareApiLevels, olderVersion, previousApiLevel } from "./api-version.ts";

test("apiLevel() leaves the patch out", () => {
  expect(apiLevel("3.5.30")).toBe("3.5.0");
  expect(apiLevel("3.6.0-rc.1")).toBe("3.6.0");
  expect(apiLevel("3.5")).toBe("3.5.0");
});

test.each(["not_decided", "", "3", "3.x.0", "v3.5.0"])("apiLevel() knows that %j is no version", (text) => {
  expect(apiLevel(text)).toBeUndefined();
});

test("compareApiLevels() orders by numbers, not by text, and does not look at the patch", () => {
  expect(compareApiLevels("3.10.0", "3.9.0")).toBeGreaterThan(0);
  expect(compareApiLevels("3.5.30", "3.5.0")).toBe(0);
  expect(compareApiLevels("2.3.0", "3.0.0")).toBeLessThan(0);
  expect(compareApiLevels("not_decided", "3.0.0")).toBeLessThan(0);
});

test("olderVersion() gives the older one", () => {
  expect(olderVersion("3.6.0", "3.5.9")).toBe("3.5.9");
});

test("previousApiLevel() is one minor version below", () => {
  expect(previousApiLevel("3.6.2")).toBe("3.5.0");
  expect(previousApiLevel("4.0.0")).toBeUndefined();
});
