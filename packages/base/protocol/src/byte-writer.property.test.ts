import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { ByteWriter, MalformedError, ProtoReader, varint64Bytes, varintBytes } from "@conclave/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const safeInteger = fc.oneof(fc.maxSafeNat(), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 32 }));
const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const field = fc.oneof(
  safeInteger.map((value) => ({ kind: "varint", value }) as const),
  id.map((value) => ({ kind: "varint64", value }) as const),
  fc.uint8Array({ maxLength: 200 }).map((value) => ({ kind: "bytes", value }) as const),
);

class TestWriter extends ByteWriter {
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.end);
  }
}

describe("ByteWriter and ProtoReader", () => {
  test("say how many bytes a number will take", () => {
    fc.assert(
      fc.property(fc.oneof(id, safeInteger.map(BigInt)), (value) => {
        expect(varint64Bytes(value)).toBe(new BinaryWriter().uint64(value).finish().length);
      }),
    );
  });

  test("write what protobuf's own reader reads, and read what its writer writes", () => {
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        const writer = new TestWriter(new Uint8Array(1));
        const theirs = new BinaryWriter();
        for (const { kind, value } of fields) {
          writer.reserve(20 + (kind === "bytes" ? value.length : 0));
          if (kind === "varint") writer.varint(value);
          else if (kind === "varint64") writer.varint64(value);
          else {
            writer.varint(value.length);
            writer.raw(value);
          }
          if (kind === "bytes") theirs.bytes(value);
          else theirs.uint64(value);
        }
        const bytes = theirs.finish();
        const reader = new ProtoReader(bytes);
        for (const { kind, value } of fields) expect(reader[kind]()).toEqual(value);
        expect([reader.done, reader.position]).toEqual([true, bytes.length]);
        expect(writer.finish()).toEqual(bytes);
      }),
    );
  });

  test("agree on how long a varint is", () => {
    fc.assert(
      fc.property(safeInteger, (value) => {
        const writer = new ByteWriter(new Uint8Array(10));
        writer.varint(value);
        expect(writer.length).toBe(varintBytes(value));
      }),
    );
  });

  test("arbitrary bytes are read or refused, never beyond their end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        const reader = new ProtoReader(bytes);
        try {
          while (!reader.done) {
            const tag = reader.varint();
            reader.skip(tag);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
          return;
        }
        // What is passed over whole is whole to protobuf's own reader too.
        const theirs = new BinaryReader(bytes);
        while (theirs.pos < theirs.len) {
          const [fieldNumber, wireType] = theirs.tag();
          theirs.skip(wireType, fieldNumber);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
