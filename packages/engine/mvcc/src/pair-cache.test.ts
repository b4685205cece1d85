import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PairCache } from "./pair-cache.ts";

const revision = (main: number, sub = 0) => ({ main, sub });
const pair = (length: number, fill: number) => new Uint8Array(length).fill(fill);

describe("PairCache", () => {
  test("never answers with anything but what was stored for the revision", () => {
    const step = fc.record({ main: fc.integer({ min: 1, max: 300 }), sub: fc.nat({ max: 3 }), isRead: fc.boolean() });
    const stored = ({ main, sub }: { main: number; sub: number }) => pair(60_000, (main * 7 + sub) % 251);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const cache = new PairCache();
        for (const { isRead, ...at } of steps) {
          const found = cache.get(at);
          if (found !== undefined) expect(Buffer.compare(found, stored(at))).toBe(0);
          else if (isRead) cache.set(at, stored(at));
        }
      }),
      { numRuns: 30 },
    );
  });

  test("keeps what was read lately, and what is read again and again", () => {
    const cache = new PairCache();
    cache.set(revision(1), pair(10, 1));
    for (let main = 2; main <= 2_000; main++) {
      cache.set(revision(main), pair(60_000, 2));
      expect(cache.get(revision(1))).toEqual(pair(10, 1));
    }
    expect(cache.get(revision(2_000))).toBeDefined();
    expect(cache.get(revision(2))).toBeUndefined();
  });

  test("has memory of its own, of two generations at most", () => {
    const cache = new PairCache();
    const large = new Uint8Array(64 * 1024);
    for (let main = 1; main <= 10_000; main++) cache.set(revision(main), large.subarray(0, 60_000));
    const kept = Array.from({ length: 10_000 }, (_, at) => cache.get(revision(at + 1))).filter((bytes) => bytes);
    expect(kept.length * 60_000).toBeLessThanOrEqual(17 * 1024 * 1024);
    large.fill(9);
    expect(cache.get(revision(10_000))?.[0]).toBe(0);
  });

  test("leaves out what is large, and revisions that its keys cannot tell apart", () => {
    const cache = new PairCache();
    cache.set(revision(1), pair(65 * 1024, 1));
    cache.set(revision(2, 2 ** 11), pair(1, 1));
    cache.set(revision(2 ** 42), pair(1, 1));
    expect([cache.get(revision(1)), cache.get(revision(2, 2 ** 11)), cache.get(revision(3))]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(cache.get(revision(2 ** 42))).toBeUndefined();
    cache.set(revision(2 ** 42 - 1, 2 ** 11 - 1), pair(1, 5));
    expect(cache.get(revision(2 ** 42 - 1, 2 ** 11 - 1))).toEqual(pair(1, 5));
    expect(cache.get(revision(2 ** 42 - 1, 2 ** 11 - 2))).toBeUndefined();
  });

  test("forgets everything when told to", () => {
    const cache = new PairCache();
    cache.set(revision(1), pair(1, 1));
    cache.clear();
    expect(cache.get(revision(1))).toBeUndefined();
  });
});
