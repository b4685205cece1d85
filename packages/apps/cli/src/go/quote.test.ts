import { utf8 } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { hexEscapes, quoteBytes, quoteText } from "./quote.ts";

describe("quoteBytes writes bytes as Go's %q", () => {
  test.each([
    ["plain text", utf8("foo bar"), '"foo bar"'],
    ["nothing", utf8(""), '""'],
    ["quotes and backslashes", utf8('a"b\\c'), '"a\\"b\\\\c"'],
    ["control characters", utf8("\0\x01\x07\b\t\n\v\f\r\x7f"), '"\\x00\\x01\\a\\b\\t\\n\\v\\f\\r\\x7f"'],
    ["letters of all scripts", utf8("é世😀"), '"é世😀"'],
    ["what cannot be seen", utf8("\u00a0\u2028\ufeff\u{e0001}"), '"\\u00a0\\u2028\\ufeff\\U000e0001"'],
    ["the replacement character itself", utf8("\ufffd"), '"\ufffd"'],
    ["bytes that are no UTF-8", Uint8Array.of(0x80, 0xff, 0xc0, 0x80), '"\\x80\\xff\\xc0\\x80"'],
    ["a sequence cut short", Uint8Array.of(0x61, 0xe4, 0xb8), '"a\\xe4\\xb8"'],
    ["a surrogate in UTF-8", Uint8Array.of(0xed, 0xa0, 0x80), '"\\xed\\xa0\\x80"'],
    ["a sequence broken off by text", Uint8Array.of(0xe4, 0x61, 0x62), '"\\xe4ab"'],
  ])("%s", (_what, bytes, expected) => {
    expect(quoteBytes(bytes)).toBe(expected);
  });
});

test("quoteText writes text as Go's %q", () => {
  expect(quoteText('m"1\n')).toBe('"m\\"1\\n"');
});

test("hexEscapes shows every byte", () => {
  expect(hexEscapes(Uint8Array.of(0x66, 0x00, 0xff))).toBe("\\x66\\x00\\xff");
});
