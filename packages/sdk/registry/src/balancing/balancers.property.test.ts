/** @module Every policy against the dumbest model that says what it promises. */
import { seededRandom } from "@conclave/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Balancer, Candidate } from "./balancer.ts";
import { ConsistentHash } from "./consistent-hash.ts";
import { LeastPending } from "./least-pending.ts";
import { OutlierEjection } from "./outlier-ejection.ts";
import { PowerOfTwoChoices } from "./power-of-two.ts";
import { RoundRobin } from "./round-robin.ts";
import { SmoothWeighted } from "./smooth-weighted.ts";
import { ZoneFirst } from "./zone-first.ts";

class ManualClock {
  nowMs = 0;
  monotonicMs = (): number => this.nowMs;
  wallMs = (): number => this.nowMs;
}

const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
const of = (each: readonly number[]): Candidate[] =>
  each.map((weight, at) => ({ service: "s", id: `${at}`, zone: at % 2 === 0 ? "near" : "far", weight }));

/** How often each was chosen. */
function tally(balancer: Balancer, candidates: readonly Candidate[], keys: readonly string[]): number[] {
  const counts = candidates.map(() => 0);
  for (const key of keys) {
    const chosen = balancer.pick(candidates, key);
    const at = candidates.indexOf(chosen as Candidate);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}
const keys = (count: number): string[] => Array.from({ length: count }, (_, at) => `key-${at}`);

function all(): readonly (readonly [string, Balancer])[] {
  const ports = { random: seededRandom(1), clock: new ManualClock() };
  return [
    ["round robin", new RoundRobin(ports)],
    ["smooth weighted", new SmoothWeighted()],
    ["least pending", new LeastPending(ports)],
    ["power of two", new PowerOfTwoChoices(ports)],
    ["consistent hash", new ConsistentHash()],
    ["zone first", new ZoneFirst(new RoundRobin(ports), { zone: "near" })],
  ];
}

test.each(all())(
  "%s chooses a candidate if there is one, of any weights, and nobody if there is none",
  (_name, balancer) => {
    expect(balancer.pick([])).toBeUndefined();
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 9 }), (each) => {
        const candidates = of(each);
        for (let turn = 0; turn < 20; turn++) expect(candidates).toContain(balancer.pick(candidates, `${turn}`));
      }),
    );
  },
);

test("round robin: in n rounds each is chosen n times, whatever comes first", () => {
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 5 }), fc.integer(), (each, rounds, seed) => {
      const balancer = new RoundRobin({ random: seededRandom(seed) });
      expect(tally(balancer, of(each), keys(each.length * rounds))).toEqual(each.map(() => rounds));
    }),
  );
});

describe("smooth weighted", () => {
  test("in as many choices as the weights' sum each is chosen as often as its weight, at any point never far from that", () => {
    fc.assert(
      fc.property(weights, (each) => {
        const sum = each.reduce((total, weight) => total + weight, 0);
        const balancer = new SmoothWeighted();
        const candidates = of(each);
        const counts = candidates.map(() => 0);
        for (let turn = 1; turn <= 2 * sum; turn++) {
          const chosen = balancer.pick(candidates);
          const at = candidates.indexOf(chosen as Candidate);
          counts[at] = (counts[at] ?? 0) + 1;
          for (const [index, weight] of each.entries())
            expect(Math.abs((counts[index] ?? 0) - (turn * weight) / sum)).toBeLessThan(each.length);
        }
        expect(counts).toEqual(each.map((weight) => 2 * weight));
      }),
    );
  });

  test("spreads the choices of the heavy one", () => {
    const balancer = new SmoothWeighted();
    const candidates = of([5, 1, 1]);
    expect(Array.from({ length: 7 }, () => balancer.pick(candidates)?.id).join("")).toBe("0010200");
  });
});

test("least pending: nobody is chosen who has more under way for its weight than another", () => {
  const step = fc.record({ finish: fc.boolean(), at: fc.nat() });
  fc.assert(
    fc.property(weights, fc.array(step, { maxLength: 50 }), fc.integer(), (each, steps, seed) => {
      const balancer = new LeastPending({ random: seededRandom(seed) });
      const candidates = of(each);
      const pending = new Map(candidates.map((candidate) => [candidate, 0]));
      const load = (candidate: Candidate): number => ((pending.get(candidate) ?? 0) + 1) / candidate.weight;
      const underWay: Candidate[] = [];
      for (const { finish, at } of steps) {
        const [ended] = finish ? underWay.splice(at % (underWay.length || 1), 1) : [];
        if (ended !== undefined) {
          balancer.finished(ended);
          pending.set(ended, (pending.get(ended) ?? 0) - 1);
        }
        const chosen = balancer.pick(candidates);
        if (chosen === undefined) throw new Error("there are candidates");
        expect(load(chosen)).toBe(Math.min(...candidates.map(load)));
        balancer.started(chosen);
        pending.set(chosen, (pending.get(chosen) ?? 0) + 1);
        underWay.push(chosen);
      }
    }),
  );
});

describe("power of two", () => {
  test("never chooses the worst of three or more, as one of any two is better", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 2, max: 999 }), { minLength: 3, maxLength: 9 }),
        fc.integer(),
        (ms, seed) => {
          const clock = new ManualClock();
          const balancer = new PowerOfTwoChoices({ clock, random: seededRandom(seed) });
          const candidates = of(ms.map(() => 1));
          for (const [at, candidate] of candidates.entries()) {
            balancer.started(candidate);
            balancer.finished(candidate, { result: "ok", latencyMs: ms[at] ?? 0 });
          }
          const worst = ms.indexOf(Math.max(...ms));
          expect(tally(balancer, candidates, keys(50))[worst]).toBe(0);
        },
      ),
    );
  });

  test("takes a rise of the latency at once, and forgets it slowly; a failure counts as slow", () => {
    const clock = new ManualClock();
    const balancer = new PowerOfTwoChoices({ clock, random: seededRandom(1), decayMs: 1_000, failureMs: 500 });
    const [candidate = { service: "", id: "", zone: "", weight: 1 }] = of([1]);
    const finish = (result: "ok" | "failed" | "canceled", latencyMs: number): number => {
      balancer.started(candidate);
      balancer.finished(candidate, { result, latencyMs });
      return balancer.costOf(candidate);
    };
    expect(finish("ok", 100)).toBe(100);
    expect(finish("canceled", 9_000)).toBe(100);
    expect(finish("failed", 1)).toBe(500);
    clock.nowMs = 1_000;
    expect(finish("ok", 100)).toBeCloseTo(100 + 400 / Math.E);
    clock.nowMs = 60_000;
    expect(balancer.costOf(candidate)).toBeCloseTo(1);
  });
});

describe("consistent hash", () => {
  test("when one goes, only its keys move; when it is back, so are they", () => {
    fc.assert(
      fc.property(weights, fc.nat(), (each, gone) => {
        const balancer = new ConsistentHash();
        const candidates = of(each);
        const left = candidates.filter((_, at) => at !== gone % each.length);
        const before = keys(100).map((key) => balancer.pick(candidates, key));
        const after = keys(100).map((key) => balancer.pick(left, key));
        for (const [at, owner] of before.entries())
          if (owner !== candidates[gone % each.length]) expect(after[at]).toBe(owner);
        expect(keys(100).map((key) => balancer.pick([...candidates].reverse(), key))).toEqual(before);
      }),
    );
  });

  test("spreads keys by weight", () => {
    const counts = tally(new ConsistentHash(), of([1, 2, 5]), keys(8_000));
    for (const [at, expected] of [1_000, 2_000, 5_000].entries())
      expect(Math.abs((counts[at] ?? 0) - expected)).toBeLessThan(200);
  });
});

test("zone first: those of the zone only, unless they are too few", () => {
  const candidates = of([1, 1, 1]);
  const ids = (atLeast: number): string =>
    [
      ...new Set(
        keys(9).map((key) => new ZoneFirst(new ConsistentHash(), { zone: "near", atLeast }).pick(candidates, key)?.id),
      ),
    ]
      .sort()
      .join("");
  expect(ids(1)).toBe("02");
  expect(ids(3)).toBe("012");
});

describe("outlier ejection", () => {
  test("leaves out who fails so often in a row, for longer each time, until it succeeds", () => {
    const clock = new ManualClock();
    const ejection = new OutlierEjection({ clock, failures: 2, ejectMs: 1_000 });
    const candidates = of([1, 1, 1, 1]);
    const [, bad = { service: "", id: "", zone: "", weight: 1 }] = candidates;
    const admitted = (): string =>
      ejection
        .admit(candidates)
        .map(({ id }) => id)
        .join("");
    expect(ejection.admit(candidates)).toBe(candidates);
    ejection.finished(bad, "failed");
    ejection.finished(bad, "ok");
    ejection.finished(bad, "failed");
    expect(admitted()).toBe("0123");
    ejection.finished(bad, "failed");
    expect(admitted()).toBe("023");
    clock.nowMs = 1_000;
    expect(admitted()).toBe("0123");
    ejection.finished(bad, "failed");
    clock.nowMs = 2_999;
    expect(admitted()).toBe("023");
    clock.nowMs = 3_000;
    ejection.finished(bad, "ok");
    ejection.finished(bad, "failed");
    expect(admitted()).toBe("0123");
  });

  test("never leaves out more than the share, be they all failing, and admits only candidates", () => {
    const step = fc.record({ at: fc.nat(), ok: fc.boolean(), ms: fc.integer({ min: 0, max: 2_000 }) });
    fc.assert(
      fc.property(
        weights,
        fc.array(step, { maxLength: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (each, steps, share) => {
          const clock = new ManualClock();
          const ejection = new OutlierEjection({ clock, failures: 1, ejectMs: 1_000, share });
          const candidates = of(each);
          for (const { at, ok, ms } of steps) {
            const admitted = ejection.admit(candidates);
            expect(candidates.length - admitted.length).toBeLessThanOrEqual(candidates.length * share);
            for (const candidate of admitted) expect(candidates).toContain(candidate);
            ejection.finished(candidates[at % candidates.length] as Candidate, ok ? "ok" : "failed");
            clock.nowMs += ms;
          }
        },
      ),
    );
  });
});

describe("who is left out of one request, as it was tried already,", () => {
  const [tried, other] = of([1, 1]) as [Candidate, Candidate];
  const ports = { random: seededRandom(2), clock: new ManualClock() };

  test("is as slow afterwards as it was for power of two", () => {
    const balancer = new PowerOfTwoChoices(ports);
    balancer.pick([tried, other]);
    balancer.started(tried);
    balancer.finished(tried, { result: "failed", latencyMs: 1 });
    balancer.pick([other]);
    expect(balancer.costOf(tried)).toBeGreaterThan(balancer.costOf(other));
    expect([1, 2, 3].map(() => balancer.pick([tried, other]))).toEqual([other, other, other]);
  });

  test("has as many requests under way as it had for least pending", () => {
    const balancer = new LeastPending(ports);
    balancer.pick([tried, other]);
    for (const _request of [1, 2]) balancer.started(tried);
    balancer.started(other);
    balancer.pick([other]);
    expect(balancer.pick([tried, other])).toBe(other);
  });

  test("is forgotten when others have come and gone since", () => {
    const balancer = new PowerOfTwoChoices(ports);
    balancer.started(tried);
    balancer.finished(tried, { result: "failed", latencyMs: 1 });
    for (let at = 0; at < 100; at++) {
      const passing: Candidate = { service: "s", id: `passing-${at}`, zone: "", weight: 1 };
      balancer.pick([passing, other]);
      balancer.started(passing);
    }
    expect(balancer.costOf(tried)).toBe(balancer.costOf(other));
  });
});
