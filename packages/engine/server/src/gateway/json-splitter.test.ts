import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonSplitter } from "./json-splitter.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const split = (...pieces: readonly string[]): string[] => {
  const splitter = new JsonSplitter(1000);
  return pieces.flatMap((piece) => [...splitter.push(bytes(piece))]);
};

describe("JsonSplitter", () => {
  it("gives each object, wherever the body is cut", () => {
    const anyObject = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(fc.array(anyObject), fc.array(fc.nat()), (objects, cuts) => {
        const body = bytes(objects.map((each) => JSON.stringify(each)).join(" \r\n\t"));
        const splitter = new JsonSplitter(body.length);
        const at = [0, ...cuts.map((cut) => cut % (body.length + 1)).sort((left, right) => left - right), body.length];
        const found = at.slice(1).flatMap((end, index) => [...splitter.push(body.slice(at[index], end))]);
        expect(found.map((text) => JSON.parse(text) as unknown)).toEqual(
          objects.map((each) => JSON.parse(JSON.stringify(each)) as unknown),
        );
        expect(splitter.isInside).toBe(false);
      }),
    );
  });

  it("sees no braces in texts", () => {
    expect(split('{"a":"}\\"}"}{"b":"\\\\"}')).toEqual(['{"a":"}\\"}"}', '{"b":"\\\\"}']);
  });

  it("knows that an object has begun", () => {
    const splitter = new JsonSplitter(100);
    expect([...splitter.push(bytes('  {"a":{}'))]).toEqual([]);
    expect(splitter.isInside).toBe(true);
  });

  it.each(["[]", "5", '"a"', "null", '{} "a"', "}"])("refuses %s, which is no object", (body) => {
    expect(() => split(body)).toThrow(expect.objectContaining({ name: "JsonError" }));
  });

  it("refuses an object that is too long, complete or not", () => {
    const long = `{"a":"${"x".repeat(1000)}"}`;
    expect(() => split(long)).toThrow(expect.objectContaining({ name: "RpcError" }));
    expect(() => split(long.slice(0, 600), long.slice(0, 600))).toThrow(expect.objectContaining({ name: "RpcError" }));
  });
});
