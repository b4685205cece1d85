import * as fc from "fast-check";
import { expect, test } from "vitest";
import { keyInterval } from "./key-interval.ts";
import { PermissionTree } from "./permission-tree.ts";

// A key space small enough to try every key: all strings over three bytes up to two long, and the end of everything.
const bytes = [0x00, 0x61, 0xff];
const allKeys = [[], ...bytes.map((byte) => [byte]), ...bytes.flatMap((left) => bytes.map((right) => [left, right]))]
  .filter((key) => key.length > 0)
  .map((key) => Uint8Array.from(key));

interface Named {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

const key = fc.constantFrom(...allKeys);
const named: fc.Arbitrary<Named> = fc.record({
  key,
  rangeEnd: fc.oneof(fc.constant(new Uint8Array()), fc.constant(new Uint8Array(1)), key),
});

/** What etcd says that a range names, key by key: the dumbest correct reading of it. */
function names({ key: start, rangeEnd }: Named, candidate: Uint8Array): boolean {
  if (rangeEnd.length === 0) return Buffer.compare(candidate, start) === 0;
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return Buffer.compare(candidate, start) >= 0;
  if (Buffer.compare(rangeEnd, start) <= 0) return Buffer.compare(candidate, start) === 0;
  return Buffer.compare(candidate, start) >= 0 && Buffer.compare(candidate, rangeEnd) < 0;
}

const isOpen = ({ rangeEnd }: Named): boolean => rangeEnd.length === 1 && rangeEnd[0] === 0;

test("a range is covered only if each of its keys is named by a permission", () => {
  fc.assert(
    fc.property(fc.array(named, { maxLength: 6 }), named, (granted, asked) => {
      const tree = new PermissionTree(granted.map((range) => keyInterval(range.key, range.rangeEnd)));
      if (!tree.covers(keyInterval(asked.key, asked.rangeEnd))) return;
      const wanted = allKeys.filter((candidate) => names(asked, candidate));
      expect(wanted.every((candidate) => granted.some((range) => names(range, candidate)))).toBe(true);
      // No set of bounded permissions holds a range without an end.
      if (isOpen(asked)) expect(granted.some(isOpen)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});

test("whatever single permission covers a range, all permissions together do", () => {
  fc.assert(
    fc.property(fc.array(named, { maxLength: 6 }), named, named, (others, own, asked) => {
      const of = (range: Named) => keyInterval(range.key, range.rangeEnd);
      if (!new PermissionTree([of(own)]).covers(of(asked))) return;
      expect(new PermissionTree([...others, own].map(of)).covers(of(asked))).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});

test("single keys are covered exactly if a permission names them", () => {
  fc.assert(
    fc.property(fc.array(named, { maxLength: 6 }), key, (granted, asked) => {
      const tree = new PermissionTree(granted.map((range) => keyInterval(range.key, range.rangeEnd)));
      expect(tree.covers(keyInterval(asked, new Uint8Array()))).toBe(granted.some((range) => names(range, asked)));
    }),
    { numRuns: 5_000 },
  );
});
