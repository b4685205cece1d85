import * as fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { bytesCodec, type Codec, jsonCodec, schemaCodec, stringCodec } from "./codec.ts";
import type { StandardSchema } from "./standard-schema.ts";

const user = z.object({ name: z.string(), since: z.coerce.date() });
const bytes = (text: string) => new TextEncoder().encode(text);

describe("codecs", () => {
  test("give back what they were given", () => {
    const since = new Date(0);
    expect(schemaCodec(user).decode(schemaCodec(user).encode({ name: "ada", since }))).toEqual({ name: "ada", since });
    const raw = Uint8Array.of(0, 255);
    expect(bytesCodec.decode(bytesCodec.encode(raw))).toBe(raw);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(stringCodec.decode(stringCodec.encode(text))).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        // JSON knows one zero only.
        expect(jsonCodec<unknown>().decode(jsonCodec().encode(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test.each<[string, Codec<never>, Uint8Array]>([
    ["bytes that are no UTF-8", stringCodec as Codec<never>, Uint8Array.of(0xc3, 0x28)],
    ["a text that is no JSON", jsonCodec<never>(), bytes("{")],
    ["a value that the schema refuses", schemaCodec(user) as Codec<never>, bytes('{"name":1}')],
  ])("do not decode %s", (_what, codec, stored) => {
    expect(() => codec.decode(stored)).toThrow(expect.objectContaining({ code: "DATA_LOSS" }));
  });

  test("do not encode what could not be decoded", () => {
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(() => jsonCodec().encode(undefined)).toThrow(refused);
    expect(() => jsonCodec().encode(1n)).toThrow(refused);
    // A value with the right type that JSON cannot carry: it would come back as null.
    expect(() => schemaCodec(z.number()).encode(Number.NaN)).toThrow(refused);
  });

  test("a schema that checks asynchronously is refused at its first use", () => {
    const late: StandardSchema<string> = {
      "~standard": { version: 1, vendor: "test", validate: async () => await Promise.reject(new Error("late")) },
    };
    expect(() => schemaCodec(late).encode("a")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("know the types of their values", () => {
    expectTypeOf(schemaCodec(user)).toEqualTypeOf<Codec<{ name: string; since: Date }>>();
    expectTypeOf(stringCodec.encode).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(jsonCodec<{ n: number }>().decode).returns.toEqualTypeOf<{ n: number }>();
  });
});
