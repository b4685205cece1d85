import { seededRandom } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { checkExclusion, type ExclusionInput, type ExclusionRule, type GuardedWrite, type Hold } from "./exclusion.ts";

const holds: readonly Hold[] = [
  { holder: "x", fence: 10, fromMs: 0, untilMs: 100 },
  { holder: "y", fence: 20, fromMs: 120, untilMs: 200 },
  { holder: "x", fence: 30, fromMs: 200, untilMs: 300 },
];
const writes: readonly GuardedWrite[] = [
  { holder: "x", fence: 10, revision: 11 },
  { holder: "x", fence: 10, revision: 21 },
  { holder: "y", fence: 20, revision: 25 },
  { holder: "x", fence: 30, revision: 31 },
];
const good: ExclusionInput = { holds, writes };

function rulesBroken(input: ExclusionInput): readonly ExclusionRule[] {
  const verdict = checkExclusion(input);
  return verdict.kind === "ok" ? [] : verdict.violations.map(({ rule }) => rule);
}

describe("a lock that excludes is accepted", () => {
  test("with holders one after the other, each writing with its fence", () => {
    expect(checkExclusion(good)).toEqual({ kind: "ok", checked: 7 });
  });

  test("when a holder is seen to hold in several stretches of time", () => {
    const stretches = [{ ...holds[0], untilMs: 50 } as Hold, { ...holds[0], fromMs: 40 } as Hold, ...holds.slice(1)];
    expect(rulesBroken({ ...good, holds: stretches })).toEqual([]);
  });

  test("when beliefs overlap by no more than clocks may differ", () => {
    const input = { ...good, holds: holds.map((hold) => ({ ...hold, untilMs: hold.untilMs + 5 })) };
    expect(rulesBroken({ ...input, overlapMsMax: 5 })).toEqual([]);
    expect(rulesBroken({ ...input, overlapMsMax: 4 })).toEqual(["overlap"]);
  });

  test("for any sequence of holders", () => {
    for (let seed = 1; seed <= 200; seed++) expect(rulesBroken(randomRun(seed))).toEqual([]);
  });
});

describe("a lock with a fault is rejected, by the name of the fault:", () => {
  const y: Hold = { holder: "y", fence: 20, fromMs: 120, untilMs: 200 };
  const faults: readonly {
    readonly name: string;
    readonly rule: ExclusionRule;
    readonly spoilt: Partial<ExclusionInput>;
  }[] = [
    { name: "two believe to hold", rule: "overlap", spoilt: { holds: holds.toSpliced(1, 1, { ...y, fromMs: 99 }) } },
    {
      name: "one believes while two others come and go",
      rule: "overlap",
      spoilt: { holds: holds.with(0, { holder: "x", fence: 10, fromMs: 0, untilMs: 250 }) },
    },
    { name: "a fence that falls", rule: "fence", spoilt: { holds: holds.with(1, { ...y, fence: 9 }) } },
    { name: "a fence given twice", rule: "fence", spoilt: { holds: holds.with(1, { ...y, fence: 10 }) } },
    {
      name: "a write of a holder that was replaced",
      rule: "stale-write",
      spoilt: { writes: [...writes, { holder: "y", fence: 20, revision: 32 }] },
    },
    {
      name: "a write with the fence of another",
      rule: "stranger",
      spoilt: { writes: writes.with(2, { holder: "x", fence: 20, revision: 25 }) },
    },
    {
      name: "a write with a fence that nobody has",
      rule: "stranger",
      spoilt: { writes: writes.with(2, { holder: "y", fence: 21, revision: 25 }) },
    },
    {
      name: "a write before its fence was given",
      rule: "early-write",
      spoilt: { writes: writes.with(2, { holder: "y", fence: 20, revision: 20 }) },
    },
  ];

  test.each(faults)("$name: $rule", ({ rule, spoilt }) => {
    expect(rulesBroken({ ...good, ...spoilt })).toContain(rule);
  });

  test("any write that comes after one of a newer fence", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { holds: right, writes: accepted } = randomRun(seed);
      const [first] = accepted;
      const last = accepted.at(-1);
      if (first === undefined || last === undefined || first.fence === last.fence) continue;
      const late = { ...first, revision: last.revision + 1 };
      expect(rulesBroken({ holds: right, writes: [late, ...accepted] })).toEqual(["stale-write"]);
    }
  });
});

/** Holders one after the other, each with some writes. */
function randomRun(seed: number): ExclusionInput {
  const random = seededRandom(seed);
  const made: { holds: Hold[]; writes: GuardedWrite[] } = { holds: [], writes: [] };
  let [nowMs, revision] = [0, 1];
  for (let turn = 0; turn < 6; turn++) {
    const holder = `client-${random.below(3)}`;
    revision += 1 + random.below(3);
    const fence = revision;
    const fromMs = nowMs + random.below(10);
    nowMs = fromMs + 1 + random.below(100);
    made.holds.push({ holder, fence, fromMs, untilMs: nowMs });
    for (let count = random.below(4); count > 0; count--) {
      revision += 1 + random.below(3);
      made.writes.push({ holder, fence, revision });
    }
  }
  return made;
}
