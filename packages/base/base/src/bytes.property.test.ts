import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  asBuffer,
  binaryString,
  binaryStringBytes,
  binaryStringOf,
  compareBytes,
  concatBytes,
  emptyBytes,
  equalBytes,
  hex,
  prefixEnd,
  utf8,
  utf8Text,
} from "./bytes.ts";

/** Byte strings in which both ends of the byte range and common beginnings are frequent. */
const anyBytes = fc
  .array(fc.constantFrom(0, 1, 0x61, 0x7f, 0x80, 0xfe, 0xff), { maxLength: 6 })
  .map((bytes) => Uint8Array.from(bytes));

describe("prefixEnd()", () => {
  it.each([
    ["61", "62"],
    ["6a6f62732f", "6a6f627330"],
    ["61ff", "62"],
    ["61ffff", "62"],
    ["00", "01"],
    ["fe", "ff"],
    ["ff", "00"],
    ["ffff", "00"],
    ["", "00"],
  ])("of %s is %s", (prefix, end) => {
    expect(hex(prefixEnd(Buffer.from(prefix, "hex")))).toBe(end);
  });

  it("ends the range of exactly the keys with the prefix", () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (prefix, key) => {
        const end = prefixEnd(prefix);
        const unbounded = equalBytes(end, Uint8Array.of(0));
        const inRange = compareBytes(prefix, key) <= 0 && (unbounded || compareBytes(key, end) < 0);
        expect(inRange).toBe(equalBytes(key.subarray(0, prefix.length), prefix));
      }),
      { numRuns: 2_000 },
    );
  });

  it("leaves its argument alone", () => {
    const prefix = Uint8Array.of(1, 0xff);
    prefixEnd(prefix);
    expect(prefix).toEqual(Uint8Array.of(1, 0xff));
  });
});

describe("binaryString()", () => {
  it("orders as the bytes are ordered, and gives them back", () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (left, right) => {
        const [l, r] = [binaryString(left), binaryString(right)];
        expect(l < r ? -1 : l > r ? 1 : 0).toBe(Math.sign(compareBytes(left, right)));
        expect(equalBytes(binaryStringBytes(l), left)).toBe(true);
        expect(l).toHaveLength(left.length);
      }),
    );
  });

  it("is that of a part as of a view of it", () => {
    fc.assert(
      fc.property(anyBytes, fc.nat(6), fc.nat(6), (bytes, first, second) => {
        const [start = 0, end = 0] = [first, second].map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b);
        expect(binaryStringOf(bytes, start, end)).toBe(binaryString(bytes.subarray(start, end)));
      }),
    );
  });
});

describe("compareBytes() and equalBytes()", () => {
  it("agree with the order of unsigned bytes, a beginning first", () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (left, right) => {
        const at = left.findIndex((byte, index) => byte !== right[index]);
        const expected = at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
        expect(Math.sign(compareBytes(left, right))).toBe(Math.sign(expected));
        expect(equalBytes(left, right)).toBe(expected === 0);
      }),
    );
  });
});

describe("the other byte helpers", () => {
  it("turn text to UTF-8 and back, with U+FFFD for what is none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(utf8Text(utf8(text))).toBe(text);
      }),
    );
    expect(utf8Text(utf8("\ufeffmarked"))).toBe("\ufeffmarked");
    expect(utf8Text(Uint8Array.of(0x61, 0xff))).toBe("a\ufffd");
  });

  it("show bytes as hex", () => expect(hex(Uint8Array.of(0, 0x0f, 0xff))).toBe("000fff"));

  it("put byte strings together", () => {
    expect(concatBytes([utf8("a"), emptyBytes, utf8("bc")])).toEqual(Buffer.from("abc"));
    expect(concatBytes([])).toHaveLength(0);
  });

  it("view the same memory as a Buffer", () => {
    const bytes = Uint8Array.of(1, 2, 3).subarray(1);
    const view = asBuffer(bytes);
    view[0] = 9;
    expect(bytes).toEqual(Uint8Array.of(9, 3));
  });
});
