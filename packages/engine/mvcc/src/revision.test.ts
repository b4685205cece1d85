import { compareBytes, hex } from "@conclave/base";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { isTombstoneKey, revisionKey, revisionMain, revisionSub, writeRevisionKey } from "./revision.ts";

const counter = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constantFrom(2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));

it("writes main and sub big-endian around an underscore, and a t behind a tombstone's", () => {
  expect(hex(revisionKey(20, 0))).toBe("00000000000000145f0000000000000000");
  const tombstone = new Uint8Array(18);
  writeRevisionKey(tombstone, { main: 20, sub: 0 });
  expect(hex(tombstone)).toBe("00000000000000145f000000000000000074");
  expect(isTombstoneKey(tombstone)).toBe(true);
  expect(isTombstoneKey(revisionKey(20, 0))).toBe(false);
});

it("reads back what it wrote", () => {
  fc.assert(
    fc.property(counter, counter, (main, sub) => {
      const key = revisionKey(main, sub);
      expect([revisionMain(key), revisionSub(key)]).toEqual([main, sub]);
    }),
  );
});

it("orders keys as revisions", () => {
  fc.assert(
    fc.property(counter, counter, counter, counter, (main, sub, otherMain, otherSub) => {
      const order = Math.sign(main - otherMain) || Math.sign(sub - otherSub);
      expect(Math.sign(compareBytes(revisionKey(main, sub), revisionKey(otherMain, otherSub)))).toBe(order);
    }),
  );
});

it("refuses a key of another length", () => {
  expect(() => revisionMain(new Uint8Array(16))).toThrow("17 or 18 bytes");
});

it("refuses a revision beyond the safe integers", () => {
  expect(() => revisionMain(new Uint8Array(17).fill(255))).toThrow("safe integer");
});
