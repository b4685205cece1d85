import { emptyBytes } from "@conclave/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  brokenRule,
  type Configuration,
  emptyConfiguration,
  fromConfState,
  isJoint,
  memberIds,
  toConfState,
} from "./configuration.ts";
import { changeConfiguration } from "./configuration-change.ts";
import type { ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2 } from "./types.ts";

const single: fc.Arbitrary<ConfChangeSingle> = fc.record({
  type: fc.constantFrom<ConfChangeType[]>("addNode", "removeNode", "updateNode", "addLearnerNode"),
  nodeId: fc.bigInt({ min: 0n, max: 6n }),
});
const change: fc.Arbitrary<ConfChangeV2> = fc.record({
  transition: fc.constantFrom<ConfChangeTransition[]>("auto", "jointImplicit", "jointExplicit"),
  changes: fc.array(single, { maxLength: 4 }),
  context: fc.constant(emptyBytes),
});

/** Applies what can be applied. */
function history(changes: readonly ConfChangeV2[]): readonly Configuration[] {
  let configuration = emptyConfiguration;
  return changes.map((next) => {
    const result = changeConfiguration(configuration, next);
    if (result.kind === "changed") configuration = result.configuration;
    return configuration;
  });
}

function everyHistory(check: (before: Configuration, after: Configuration) => void): void {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const configurations = [emptyConfiguration, ...history(changes)];
      for (const [at, after] of configurations.entries()) check(configurations[at - 1] ?? emptyConfiguration, after);
    }),
    { numRuns: 100 },
  );
}

/** Whether some members, as bits, decide for a configuration. */
function decides(configuration: Configuration, members: number): boolean {
  const { incoming, outgoing } = configuration.voters;
  return [incoming, outgoing].every(
    (half) => half.size === 0 || [...half].filter((id) => (members >> Number(id)) & 1).length * 2 > half.size,
  );
}

const everySubset = Array.from({ length: 128 }, (_, members) => members);

describe("changes of the membership", () => {
  test("never break a rule of configurations", () => {
    everyHistory((_, after) => expect(brokenRule(after)).toBeUndefined());
  });

  test("leave no two disjoint quorums, one before and one after (Raft paper §6)", () => {
    everyHistory((before, after) => {
      // The very first voters are given, not voted for.
      if (before.voters.incoming.size === 0) return;
      const deciding = everySubset.filter((members) => decides(after, members));
      for (const members of everySubset.filter((some) => decides(before, some)))
        expect(deciding.filter((others) => (members & others) === 0)).toEqual([]);
    });
  });

  test("never leave a cluster that had voters without any", () => {
    everyHistory((before, after) => {
      if (before.voters.incoming.size > 0) expect(after.voters.incoming.size).toBeGreaterThan(0);
    });
  });

  test("a joint configuration ends in the same members as the changes made one by one", () => {
    fc.assert(
      fc.property(fc.array(single, { minLength: 2, maxLength: 4 }), (changes) => {
        const start = fromConfState({
          voters: [1n, 2n, 3n],
          learners: [4n],
          votersOutgoing: [],
          learnersNext: [],
          autoLeave: false,
        });
        const entered = changeConfiguration(start, { transition: "jointImplicit", changes, context: emptyBytes });
        if (entered.kind === "refused") return;
        expect(isJoint(entered.configuration)).toBe(true);
        const left = changeConfiguration(entered.configuration, {
          transition: "auto",
          changes: [],
          context: emptyBytes,
        });
        expect(left).toMatchObject({ kind: "changed" });
        if (left.kind === "changed") expect(toConfState(left.configuration)).toEqual(oneByOne(start, changes));
      }),
    );
  });

  test("a configuration survives being stored", () => {
    everyHistory((_, after) => expect(fromConfState(toConfState(after))).toEqual(after));
  });

  test("memberIds() are ascending, and each only once", () => {
    everyHistory((_, after) => {
      const ids = memberIds(after);
      for (const [at, id] of ids.entries()) if (at > 0) expect(id > (ids[at - 1] ?? 0n)).toBe(true);
    });
  });
});

/** The dumbest way: who votes and who learns, as two lists. */
function oneByOne(start: Configuration, changes: readonly ConfChangeSingle[]): unknown {
  let voters = [...start.voters.incoming];
  let learners = [...start.learners];
  for (const { type, nodeId } of changes) {
    if (nodeId === 0n || type === "updateNode") continue;
    voters = voters.filter((id) => id !== nodeId);
    learners = learners.filter((id) => id !== nodeId);
    if (type === "addNode") voters.push(nodeId);
    if (type === "addLearnerNode") learners.push(nodeId);
  }
  const ascending = (ids: bigint[]): bigint[] => ids.sort((left, right) => Number(left - right));
  return {
    voters: ascending(voters),
    learners: ascending(learners),
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
}
