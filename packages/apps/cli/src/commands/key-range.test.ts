import { utf8 } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { exitCodes } from "../exit.ts";
import { parseKeyRange } from "./key-range.ts";

const one = { prefix: false, fromKey: false };
const prefix = { prefix: true, fromKey: false };
const fromKey = { prefix: false, fromKey: true };
const zero = Uint8Array.of(0);

describe("parseKeyRange", () => {
  test.each([
    ["one key", ["a"], one, utf8("a"), utf8("")],
    ["no key, which the server will refuse", [""], one, utf8(""), utf8("")],
    ["a range", ["a", "c"], one, utf8("a"), utf8("c")],
    ["a prefix", ["ab"], prefix, utf8("ab"), utf8("ac")],
    ["the empty prefix", [""], prefix, zero, zero],
    ["from a key on", ["b"], fromKey, utf8("b"), zero],
    ["from the empty key on", [""], fromKey, zero, zero],
  ])("%s", (_what, operands, options, key, rangeEnd) => {
    expect(parseKeyRange(operands, options)).toEqual({ key, rangeEnd });
  });

  test.each([
    ["--prefix with --from-key", ["a"], { prefix: true, fromKey: true }],
    ["--prefix with a range end", ["a", "b"], prefix],
    ["--from-key with a range end", ["a", "b"], fromKey],
  ])("refuses %s", (_what, operands, options) => {
    expect(() => parseKeyRange(operands, options)).toThrow(
      expect.objectContaining({ exitCode: exitCodes.badArguments }),
    );
  });
});
