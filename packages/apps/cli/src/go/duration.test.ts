import { describe, expect, test } from "vitest";
import { formatDuration, parseDurationMs } from "./duration.ts";

describe("parseDurationMs", () => {
  test.each([
    ["5s", 5000],
    ["1h2m3.5s", 3_723_500],
    ["1.5ms", 1.5],
    ["250us", 0.25],
    ["250µs", 0.25],
    [".5s", 500],
    ["0", 0],
    ["-1s", -1000],
    ["+2m", 120_000],
  ])("%s", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  test.each([
    ["5", 'time: missing unit in duration "5"'],
    ["", 'time: invalid duration ""'],
    ["s", 'time: invalid duration "s"'],
    ["5 s", 'time: invalid duration "5 s"'],
    ["5s6", 'time: invalid duration "5s6"'],
    ["abc", 'time: invalid duration "abc"'],
  ])("refuses %j", (text, message) => {
    expect(() => parseDurationMs(text)).toThrow(new RangeError(message));
  });
});

describe("formatDuration", () => {
  test.each([
    [0, "0s"],
    [0.000_9, "900ns"],
    [0.915_283, "915.283µs"],
    [0.726, "726µs"],
    [2.677_166, "2.677166ms"],
    [1000, "1s"],
    [5000.860_885, "5.000860885s"],
    [90_000, "1m30s"],
    [3_723_500, "1h2m3.5s"],
  ])("%d ms", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
