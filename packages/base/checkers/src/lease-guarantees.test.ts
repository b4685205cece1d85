import { seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import type { KvEvent, KvItem } from "./kv-operation.ts";
import { checkLeases, type LeaseInput, type LeaseRecord, type LeaseRule } from "./lease-guarantees.ts";

function put(key: string, revision: number, lease: string): KvEvent {
  const item: KvItem = { key, value: "", createRevision: revision, modRevision: revision, version: 1, lease };
  return { type: "put", item };
}

const granted: LeaseRecord = { kind: "granted", lease: "7", askedMs: 0, answeredMs: 5, ttlMs: 100 };
const renewed: LeaseRecord = { kind: "renewed", lease: "7", askedMs: 80, answeredMs: 85, ttlMs: 100 };
const grantedOther: LeaseRecord = { kind: "granted", lease: "8", askedMs: 0, answeredMs: 5, ttlMs: 1_000 };
const revoking: LeaseRecord = { kind: "revoking", lease: "8", askedMs: 50 };
const revoked: LeaseRecord = { kind: "ended", lease: "8", answeredMs: 60, revision: 5 };

/** Lease 7 is renewed once and expires in time; lease 8 is revoked long before its deadline. */
const good: LeaseInput = {
  records: [granted, grantedOther, revoking, revoked, renewed],
  events: [
    put("a", 2, "7"),
    put("b", 3, "7"),
    put("c", 4, "8"),
    { type: "delete", key: "c", revision: 5 },
    { type: "delete", key: "a", revision: 6 },
    { type: "delete", key: "b", revision: 6 },
  ],
  ends: [
    { revision: 5, lease: "8", seenMs: 55 },
    { revision: 6, lease: "7", seenMs: 180 },
  ],
};

function rulesBroken(input: LeaseInput): readonly LeaseRule[] {
  const verdict = checkLeases(input);
  return verdict.kind === "ok" ? [] : verdict.violations.map(({ rule }) => rule);
}

describe("leases that keep their word are accepted", () => {
  test("renewed, expired and revoked", () => {
    expect(checkLeases(good)).toEqual({ kind: "ok", checked: 7 });
  });

  test("when one ends early by no more than clocks may differ", () => {
    const early = { ...good, ends: [{ revision: 6, lease: "7", seenMs: 170 }] };
    expect(rulesBroken({ ...early, toleranceMs: 10 })).toEqual([]);
    expect(rulesBroken({ ...early, toleranceMs: 9 })).toEqual(["early-expiry"]);
  });

  test("when the answer to a revoke never came", () => {
    expect(rulesBroken({ ...good, records: good.records.filter((record) => record !== revoked) })).toEqual([]);
  });

  test("whenever they were renewed", () => {
    for (let seed = 1; seed <= 200; seed++) expect(rulesBroken(randomRun(seed, 0))).toEqual([]);
  });
});

describe("a lease with a fault is rejected, by the name of the fault:", () => {
  const faults: readonly { readonly name: string; readonly rule: LeaseRule; readonly spoilt: Partial<LeaseInput> }[] = [
    {
      name: "a renewed lease that ends at its first deadline",
      rule: "early-expiry",
      spoilt: { ends: [{ revision: 6, lease: "7", seenMs: 120 }] },
    },
    {
      name: "a lease that ends before the revoke was asked for",
      rule: "early-expiry",
      spoilt: { ends: [{ revision: 5, lease: "8", seenMs: 49 }] },
    },
    {
      name: "a lease that ends and was never granted",
      rule: "stranger",
      spoilt: { records: [granted, renewed] },
    },
    {
      name: "a revoke that leaves a key",
      rule: "left-behind",
      spoilt: { events: good.events.filter((event) => event.type === "put" || event.key !== "c") },
    },
    {
      name: "an expiry that leaves a key",
      rule: "left-behind",
      spoilt: { events: good.events.filter((event) => event.type === "put" || event.key !== "b") },
    },
    {
      name: "a key attached to a lease that has ended",
      rule: "attached-late",
      spoilt: { events: [...good.events, put("d", 7, "8")] },
    },
    {
      name: "a lease renewed after it was told to have ended",
      rule: "renewed-late",
      spoilt: { records: [...good.records, { kind: "renewed", lease: "8", askedMs: 61, answeredMs: 62, ttlMs: 1 }] },
    },
  ];

  test.each(faults)("$name: $rule", ({ rule, spoilt }) => {
    expect(rulesBroken({ ...good, ...spoilt })).toContain(rule);
  });

  test("any that ends before its last deadline", () => {
    for (let seed = 1; seed <= 200; seed++) expect(rulesBroken(randomRun(seed, 1))).toEqual(["early-expiry"]);
  });
});

/** A lease that is renewed now and then, and ends some time after its deadline, or a little before. */
function randomRun(seed: number, tooEarlyMs: number): LeaseInput {
  const random = seededRandom(seed);
  const ttlMs = 100;
  let askedMs = 0;
  const records: LeaseRecord[] = [{ kind: "granted", lease: "7", askedMs, answeredMs: 1, ttlMs }];
  for (let count = random.below(5); count > 0; count--) {
    askedMs += 1 + random.below(ttlMs);
    records.push({ kind: "renewed", lease: "7", askedMs, answeredMs: askedMs + random.below(50), ttlMs });
  }
  const seenMs = askedMs + ttlMs + (tooEarlyMs > 0 ? -tooEarlyMs : random.below(50));
  const events: KvEvent[] = [put("a", 2, "7"), { type: "delete", key: "a", revision: 3 }];
  return { records, events, ends: [{ revision: 3, lease: "7", seenMs }] };
}
