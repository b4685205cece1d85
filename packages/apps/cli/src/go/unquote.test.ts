import { hex, utf8 } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { unquote } from "./unquote.ts";
import { splitWords } from "./words.ts";

describe("unquote reads Go's quoted strings", () => {
  test.each([
    ['"plain"', utf8("plain")],
    ['""', utf8("")],
    ['"a\\"b\\\\c\\n\\t"', utf8('a"b\\c\n\t')],
    ['"\\x00\\xff"', Uint8Array.of(0, 255)],
    ['"\\101\\u00e9\\U0001f600"', utf8("Aé😀")],
    ["`as \\ it stands`", utf8("as \\ it stands")],
  ])("%s", (text, bytes) => {
    expect(hex(unquote(text) ?? utf8("none"))).toBe(hex(bytes));
  });

  test.each([
    "",
    '"',
    "plain",
    '"open',
    '"bad \\q"',
    '"\\777"',
    '"\\ud800"',
    '"\\U00110000"',
    '"\\x1"',
    '"two" "words"',
  ])("refuses %s", (text) => {
    expect(unquote(text)).toBeUndefined();
  });
});

describe("splitWords", () => {
  test.each([
    ["put  a   b", ["put", "a", "b"]],
    ['put "a b" "x \\" y"', ["put", "a b", 'x " y']],
    ["put a 'single \"quoted\"'", ["put", "a", 'single "quoted"']],
    ['get ""', ["get", ""]],
    ["get it's", ["get", "it's"]],
    ["", []],
  ])("%s", (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  test("refuses bytes that are no text instead of changing them", () => {
    expect(() => splitWords('put a "\\xff"')).toThrow('quoted string "\\xff" is not UTF-8');
  });
});
