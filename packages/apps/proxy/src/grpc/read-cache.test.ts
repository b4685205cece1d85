import { compareBytes, utf8 } from "@conclave/base";
import { RangeRequest, RangeResponse, ResponseHeader } from "@conclave/protocol/etcdserverpb";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Caller } from "./caller.ts";
import { ReadCache, type ReadCacheOptions } from "./read-cache.ts";

const alice: Caller = { metadata: { token: "alice" }, identity: "alice" };
const bob: Caller = { metadata: { token: "bob" }, identity: "bob" };

interface Read {
  readonly key: string;
  readonly end?: string;
  readonly revision?: bigint;
}

const request = ({ key, end = "", revision = 0n }: Read) =>
  RangeRequest.fromPartial({ key: utf8(key), rangeEnd: utf8(end), revision, serializable: true });

const response = (revision: number) =>
  RangeResponse.fromPartial({ header: ResponseHeader.fromPartial({ revision }), count: revision });

/** A cache that has been given an answer to each of some reads, by Alice, at revision 10. */
function cacheWith(reads: readonly Read[], options: ReadCacheOptions = {}): ReadCache {
  const cache = new ReadCache(options);
  for (const read of reads) cache.add(alice, { request: request(read), response: response(10), begun: cache.begin() });
  return cache;
}

const has = (cache: ReadCache, read: Read, caller = alice): boolean => cache.get(caller, request(read)) !== undefined;

describe("what is given", () => {
  test("an answer is given to the same question of the same caller only", () => {
    const cache = cacheWith([{ key: "a" }]);
    expect(cache.get(alice, request({ key: "a" }))).toEqual(response(10));
    expect(has(cache, { key: "a" }, bob)).toBe(false);
    expect(has(cache, { key: "a", revision: 3n })).toBe(false);
    expect(has(cache, { key: "a", end: "b" })).toBe(false);
    expect(cache.stats).toMatchObject({ entries: 1, hits: 1, misses: 3 });
  });

  test("the answer to a linearizable read serves serializable ones", () => {
    const cache = new ReadCache();
    const linearizable = { ...request({ key: "a" }), serializable: false };
    cache.add(alice, { request: linearizable, response: response(10), begun: cache.begin() });
    expect(has(cache, { key: "a" })).toBe(true);
  });

  test("nothing is given that is too old", () => {
    const clock = { nowMs: 0 };
    const cache = cacheWith([{ key: "a" }], { ageMsMax: 100, nowMs: () => clock.nowMs });
    clock.nowMs = 100;
    expect(has(cache, { key: "a" })).toBe(true);
    clock.nowMs = 101;
    expect(has(cache, { key: "a" })).toBe(false);
  });
});

describe("what is forgotten", () => {
  test("a write forgets what it may have touched, and nothing else", () => {
    const reads = [{ key: "a" }, { key: "b" }, { key: "a", end: "c" }, { key: "b", end: "\0" }];
    const cache = cacheWith(reads);
    cache.invalidate([{ key: utf8("a"), rangeEnd: utf8("") }]);
    expect(reads.map((read) => has(cache, read))).toEqual([false, true, false, true]);
  });

  test("what was read at a revision stays true until that is compacted", () => {
    const reads = [
      { key: "a", revision: 3n },
      { key: "a", revision: 5n },
    ];
    const cache = cacheWith(reads);
    cache.invalidate([{ key: utf8("a"), rangeEnd: utf8("") }]);
    cache.changed([utf8("a")], 11);
    expect(reads.map((read) => has(cache, read))).toEqual([true, true]);
    cache.compacted(5n);
    expect(reads.map((read) => has(cache, read))).toEqual([false, true]);
  });

  test("an answer from before a compaction or a newer write is not kept", () => {
    const cache = new ReadCache();
    cache.compacted(5n);
    cache.add(alice, { request: request({ key: "a", revision: 4n }), response: response(10), begun: cache.begin() });
    expect(has(cache, { key: "a", revision: 4n })).toBe(false);
    cache.written(11);
    cache.add(alice, { request: request({ key: "a" }), response: response(10), begun: cache.begin() });
    expect(has(cache, { key: "a" })).toBe(false);
  });

  test("with everything goes what is being read just then", () => {
    const cache = cacheWith([{ key: "a" }]);
    const begun = cache.begin();
    cache.clear();
    cache.add(alice, { request: request({ key: "b" }), response: response(10), begun });
    expect([has(cache, { key: "a" }), has(cache, { key: "b" })]).toEqual([false, false]);
    expect(cache.stats).toMatchObject({ entries: 0, bytes: 0 });
  });

  test("the least recently used goes when there are too many, or too many bytes", () => {
    const cache = cacheWith([{ key: "a" }, { key: "b" }], { entriesMax: 2 });
    has(cache, { key: "a" });
    cache.add(alice, { request: request({ key: "c" }), response: response(10), begun: cache.begin() });
    expect(["a", "b", "c"].map((key) => has(cache, { key }))).toEqual([true, false, true]);
    expect(cacheWith([{ key: "a" }], { bytesMax: 10 }).stats).toMatchObject({ entries: 0, bytes: 0 });
  });
});

/** Whether a range holds a key, said as simply as can be. */
function holds({ key, end = "" }: Read, changed: string): boolean {
  if (end === "") return changed === key;
  return changed >= key && (end === "\0" || changed < end);
}

test("changed keys forget exactly the ranges that hold one of them", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 3 });
  const end = fc.oneof(text, fc.constantFrom("", "\0"));
  fc.assert(
    fc.property(fc.array(fc.record({ key: text, end })), fc.array(text, { minLength: 1 }), (reads, keys) => {
      const cache = cacheWith(reads);
      cache.changed(keys.map(utf8).sort(compareBytes), 10);
      for (const read of reads) expect(has(cache, read)).toBe(!keys.some((key) => holds(read, key)));
    }),
  );
});
