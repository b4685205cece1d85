import type { DropReason, ProposeResult } from "@conclave/raft";
import { describe, expect, test } from "vitest";
import { UnsentProposals } from "./unsent-proposals.ts";

/** A raft that takes what it can, and requests that wait until they are given up. */
function setUp() {
  const state: { refuses: DropReason | undefined } = { refuses: "noLeader" };
  const taken: number[] = [];
  const refused: [number, DropReason][] = [];
  const waiting = new Set<number>();
  const unsent = new UnsentProposals<number>({
    propose: (key): ProposeResult => {
      if (state.refuses !== undefined) return { kind: "dropped", reason: state.refuses };
      taken.push(key);
      return { kind: "accepted", index: key, term: 1 };
    },
    isWaiting: (key) => waiting.has(key),
    onRefused: (key, reason) => refused.push([key, reason]),
  });
  const submit = (key: number): void => {
    waiting.add(key);
    unsent.submit(key);
  };
  return { state, taken, refused, waiting, unsent, submit };
}

describe("UnsentProposals", () => {
  test.each(["noLeader", "leadershipTransfer", "confChangePending"] as const)(
    "keeps what raft drops for %s and proposes it again in order",
    (reason) => {
      const { state, taken, unsent, submit } = setUp();
      state.refuses = reason;
      submit(1);
      submit(2);
      unsent.retry();
      expect(taken).toEqual([]);
      state.refuses = undefined;
      submit(3);
      expect(taken).toEqual([]);
      unsent.retry();
      unsent.retry();
      expect(taken).toEqual([1, 2, 3]);
    },
  );

  test("forgets what nobody waits for any more", () => {
    const { state, taken, waiting, unsent, submit } = setUp();
    submit(1);
    submit(2);
    waiting.delete(1);
    state.refuses = undefined;
    unsent.retry();
    expect(taken).toEqual([2]);
  });

  test("reports at once what raft will never take", () => {
    const { state, refused, unsent, submit } = setUp();
    state.refuses = "tooLarge";
    submit(1);
    unsent.retry();
    expect(refused).toEqual([[1, "tooLarge"]]);
  });
});
