import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type JointVoters, jointCommittedIndex, jointVoteResult } from "./joint-quorum.ts";
import { committedIndex, majority, type VoteResult, voteResult } from "./quorum.ts";

const voterSet = fc
  .uniqueArray(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 7 })
  .map((ids): ReadonlySet<bigint> => new Set(ids));
const jointVoters = fc.record({ incoming: voterSet, outgoing: voterSet });
const matches = fc.array(fc.nat({ max: 6 }), { minLength: 10, maxLength: 10 });
const votes = fc.array(fc.option(fc.boolean(), { nil: undefined }), { minLength: 10, maxLength: 10 });

type Votes = readonly (boolean | undefined)[];

/** Every subset of the voters that is a majority. */
function quorums(voters: ReadonlySet<bigint>): readonly (readonly bigint[])[] {
  const ids = [...voters];
  const subsets = Array.from({ length: 2 ** ids.length }, (_, mask) => ids.filter((_, at) => (mask >> at) & 1));
  return subsets.filter((subset) => subset.length * 2 > voters.size);
}

/** The highest index that all members of some quorum have. */
function dumbCommittedIndex(voters: ReadonlySet<bigint>, match: (id: bigint) => number): number {
  if (voters.size === 0) return Number.POSITIVE_INFINITY;
  return Math.max(...quorums(voters).map((quorum) => Math.min(...quorum.map(match))));
}

function isWon({ incoming, outgoing }: JointVoters, answers: Votes): boolean {
  return [incoming, outgoing].every(
    (half) => half.size === 0 || quorums(half).some((quorum) => quorum.every((id) => answers[Number(id)] === true)),
  );
}

/** Every way in which the open votes can still be cast. */
function outcomes(answers: Votes): readonly Votes[] {
  const open = answers.indexOf(undefined);
  if (open < 0) return [answers];
  return [true, false].flatMap((answer) => outcomes(answers.with(open, answer)));
}

function dumbVoteResult(voters: JointVoters, answers: Votes): VoteResult {
  // Answers of members that do not vote are nothing.
  const relevant = answers.map((answer, id) =>
    voters.incoming.has(BigInt(id)) || voters.outgoing.has(BigInt(id)) ? answer : false,
  );
  const results = outcomes(relevant).map((outcome) => isWon(voters, outcome));
  if (results.every((won) => won)) return "won";
  return results.some((won) => won) ? "pending" : "lost";
}

describe("majorities", () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
  ])("majority() of %i is %i", (voters, needed) => {
    expect(majority(voters)).toBe(needed);
  });

  test("committedIndex() is the highest index that all members of some quorum have", () => {
    fc.assert(
      fc.property(voterSet, matches, (voters, match) => {
        const of = (id: bigint): number => match[Number(id)] ?? 0;
        expect(committedIndex(voters, of)).toBe(dumbCommittedIndex(voters, of));
      }),
    );
  });

  test("voteResult() is decided when no open vote can change it", () => {
    fc.assert(
      fc.property(voterSet, votes, (voters, answers) => {
        const expected = dumbVoteResult({ incoming: voters, outgoing: new Set() }, answers);
        expect(voteResult(voters, (id) => answers[Number(id)])).toBe(expected);
      }),
    );
  });
});

describe("joint majorities (Raft paper §6)", () => {
  test("jointCommittedIndex() takes a quorum of both halves", () => {
    fc.assert(
      fc.property(jointVoters, matches, (voters, match) => {
        const of = (id: bigint): number => match[Number(id)] ?? 0;
        const expected = Math.min(dumbCommittedIndex(voters.incoming, of), dumbCommittedIndex(voters.outgoing, of));
        expect(jointCommittedIndex(voters, of)).toBe(expected);
      }),
    );
  });

  test("jointVoteResult() is decided when no open vote can change it", () => {
    fc.assert(
      fc.property(jointVoters, votes, (voters, answers) => {
        expect(jointVoteResult(voters, (id) => answers[Number(id)])).toBe(dumbVoteResult(voters, answers));
      }),
    );
  });
});
