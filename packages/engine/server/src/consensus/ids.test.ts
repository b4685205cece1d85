import { describe, expect, test } from "vitest";
import {
  computeAddedMemberId,
  computeClusterId,
  computeMemberId,
  createRequestIds,
  formatId,
  randomLeaseId,
  requestKey,
} from "./ids.ts";

describe("computeMemberId() and computeClusterId()", () => {
  test("give what a real etcd gives for the same URL and token", () => {
    const member = computeMemberId(["http://127.0.0.1:41002"], "tok-a");
    expect(formatId(member)).toBe("e255a223fb1b8a6c");
    expect(formatId(computeClusterId([member]))).toBe("beb74b314241cf78");
  });

  test("do not depend on the order in which URLs and members are named", () => {
    expect(computeMemberId(["http://b:1", "http://a:1"], "t")).toBe(computeMemberId(["http://a:1", "http://b:1"], "t"));
    expect(computeClusterId([2n, 1n])).toBe(computeClusterId([1n, 2n]));
  });

  test("differ between members that were added at different times", () => {
    expect(computeAddedMemberId(["http://a:1"], 1)).not.toBe(computeAddedMemberId(["http://a:1"], 2));
    expect(computeAddedMemberId(["http://b:1", "http://a:1"], 7)).toBe(
      computeMemberId(["http://a:1", "http://b:1"], "7"),
    );
  });

  test("differ between clusters founded alike with different tokens", () => {
    expect(computeMemberId(["http://a:1"], "one")).not.toBe(computeMemberId(["http://a:1"], "two"));
  });
});

describe("createRequestIds()", () => {
  const clock = { monotonicMs: () => 0, wallMs: () => 0x12_3456_789a };

  test("start with the low 16 bits of the member id, then the time, then a counter", () => {
    const ids = createRequestIds(0xe255_a223_fb1b_8a6cn, clock);
    expect(ids.next().toString(16)).toBe("8a6c123456789a01");
    expect(ids.next().toString(16)).toBe("8a6c123456789a02");
  });

  test("carry from the counter into the time and never repeat", () => {
    const ids = createRequestIds(1n, clock);
    const keys = new Set(Array.from({ length: 1000 }, () => requestKey(ids.next())));
    expect(keys.size).toBe(1000);
  });

  test("have keys that are safe integers", () => {
    const ids = createRequestIds(0xffffn, { monotonicMs: () => 0, wallMs: () => 2 ** 40 - 1 });
    expect(Number.isSafeInteger(requestKey(ids.next()))).toBe(true);
  });
});

test("randomLeaseId() is positive and never zero", () => {
  const from = (byte: number) => ({
    below: () => 0,
    fraction: () => 0,
    bytes: (length: number) => new Uint8Array(length).fill(byte),
  });
  expect(randomLeaseId(from(0xff))).toBe(2n ** 63n - 1n);
  expect(randomLeaseId(from(0))).toBe(1n);
});
