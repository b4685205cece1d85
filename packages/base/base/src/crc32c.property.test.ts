import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "./bytes.ts";
import { crc32c } from "./crc32c.ts";

/** The definition of CRC-32C, one bit at a time. */
function model(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const rising = Uint8Array.from({ length: 32 }, (_, at) => at);
const iscsiRead = [0x01c00000, 0, 0, 0, 0x14000000, 0x00000400, 0x00000014, 0x00000018, 0x28000000, 0, 0x02000000, 0];

/** Of both sides of the length from which on words are read. */
const byteArrays = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ minLength: 1_000, maxLength: 1_200 }));

describe("crc32c()", () => {
  it.each([
    ["no bytes", new Uint8Array(), 0],
    ["the check string of the catalogue of CRCs", utf8("123456789"), 0xe3069283],
    ["RFC 3720: 32 bytes of zeros", new Uint8Array(32), 0x8a9136aa],
    ["RFC 3720: 32 bytes of ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["RFC 3720: 32 rising bytes", rising, 0x46dd794e],
    ["RFC 3720: 32 falling bytes", rising.toReversed(), 0x113fdb5c],
    ["RFC 3720: an iSCSI read command", new Uint8Array(Buffer.from(iscsiRead.flatMap(bigEndian))), 0xd9963a56],
  ])("of %s", (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it("is the one of the definition, for any length and any place in memory", () => {
    fc.assert(
      fc.property(byteArrays, fc.nat({ max: 9 }), (bytes, skipped) => {
        const view = bytes.subarray(skipped);
        expect(crc32c(view)).toBe(model(view));
      }),
    );
  });

  it("goes on from the checksum of what came before", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }), (parts) => {
        const chained = parts.reduce((crc, part) => crc32c(part, crc), 0);
        expect(chained).toBe(crc32c(Buffer.concat(parts)));
      }),
    );
  });
});

function bigEndian(word: number): number[] {
  return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff];
}
