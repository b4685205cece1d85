import { utf8 } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { goJson, omitEmpty } from "./json.ts";

describe("goJson", () => {
  test("keeps 64-bit integers exact", () => {
    expect(goJson({ id: 18_446_744_073_709_551_615n, revision: 9_007_199_254_740_991 })).toBe(
      '{"id":18446744073709551615,"revision":9007199254740991}',
    );
  });

  test("writes bytes in base64", () => {
    expect(goJson([utf8("foo"), utf8("")])).toBe('["Zm9v",""]');
  });

  test("escapes what Go escapes in text", () => {
    expect(goJson('<a href="x">&\u2028\u2029\n</a>')).toBe(
      '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028\\u2029\\n\\u003c/a\\u003e"',
    );
  });

  test("leaves undefined fields out and writes null", () => {
    expect(goJson({ a: undefined, b: null, c: false })).toBe('{"b":null,"c":false}');
  });
});

test("omitEmpty keeps what is not zero, in order", () => {
  const fields = { a: 0, b: 0n, c: "", d: false, e: utf8(""), f: [], g: undefined, h: null, x: -1, y: {}, z: [0] };
  expect(Object.keys(omitEmpty(fields))).toEqual(["x", "y", "z"]);
});
