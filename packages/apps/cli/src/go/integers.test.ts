import { describe, expect, test } from "vitest";
import { hex16, parseInt64, parseUint64Hex } from "./integers.ts";

describe("parseInt64", () => {
  test.each([
    ["42", 10, 42n],
    ["-42", 10, -42n],
    ["+7", 10, 7n],
    ["9223372036854775807", 10, 9_223_372_036_854_775_807n],
    ["-9223372036854775808", 10, -9_223_372_036_854_775_808n],
    ["fF", 16, 255n],
    ["-1", 16, -1n],
    ["0x10", 0, 16n],
    ["010", 0, 8n],
    ["0b101", 0, 5n],
    ["0o17", 0, 15n],
    ["1_000", 0, 1000n],
    ["0", 0, 0n],
  ] as const)("reads %s in base %d", (text, base, value) => {
    expect(parseInt64(text, base)).toBe(value);
  });

  test.each([
    ["", 10, "invalid syntax"],
    ["x", 10, "invalid syntax"],
    ["1_000", 10, "invalid syntax"],
    ["0x10", 16, "invalid syntax"],
    ["09", 0, "invalid syntax"],
    ["1__0", 0, "invalid syntax"],
    ["--1", 10, "invalid syntax"],
    ["9223372036854775808", 10, "value out of range"],
    ["-9223372036854775809", 10, "value out of range"],
    ["ffffffffffffffff", 16, "value out of range"],
  ] as const)("refuses %j in base %d: %s", (text, base, reason) => {
    expect(() => parseInt64(text, base)).toThrow(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${reason}`);
  });
});

test("hex16 pads to 16 characters, the sign among them", () => {
  expect(hex16(0x123n)).toBe("0000000000000123");
  expect(hex16(-1n)).toBe("-000000000000001");
});

test("parseUint64Hex reads ids of members", () => {
  expect(parseUint64Hex("ac7c97ef0ec193b0")).toBe(0xac7c97ef0ec193b0n);
  expect(() => parseUint64Hex("-1")).toThrow('strconv.ParseUint: parsing "-1": invalid syntax');
  expect(() => parseUint64Hex("10000000000000000")).toThrow("value out of range");
});
