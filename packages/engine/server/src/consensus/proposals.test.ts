import { describe, expect, test } from "vitest";
import { Proposal, Proposals } from "./proposals.ts";

/** Requests that wait. */
function setUp() {
  const proposals = new Proposals<string>();
  const wait = (key: number, { startMs = 0, deadlineMs = 100 } = {}): Proposal<string> => {
    const proposal = new Proposal<string>(
      { key, entry: new Uint8Array(), command: undefined },
      { startMs, deadlineMs },
    );
    proposals.add(proposal);
    return proposal;
  };
  return { proposals, wait };
}

describe("Proposals", () => {
  test("gives each waiter the outcome of its own entry", async () => {
    const { proposals, wait } = setUp();
    const first = wait(1);
    const second = wait(2);
    proposals.settle(2, { ok: true, value: "two" });
    proposals.settle(1, { ok: true, value: "one" });
    expect(await first).toBe("one");
    expect(await second).toBe("two");
    expect(proposals.size).toBe(0);
  });

  test("passes over entries that nobody waits for", () => {
    expect(() => new Proposals<string>().settle(1, { ok: true, value: "" })).not.toThrow();
  });

  test("ends a wait once its deadline has come, with the reason given for it, and no other", async () => {
    const { proposals, wait } = setUp();
    const early = wait(1);
    const late = wait(2, { deadlineMs: 101 });
    proposals.expire(100, ({ startMs }) => new Error(`late since ${startMs}`));
    await expect(early).rejects.toThrow("late since 0");
    expect(proposals.size).toBe(1);
    proposals.settle(2, { ok: true, value: "in time" });
    expect(await late).toBe("in time");
  });

  test("ends every wait when the member stops", async () => {
    const { proposals, wait } = setUp();
    const waits = [wait(1), wait(2)];
    const error = new Error("stopped");
    proposals.abandon(error);
    const rejected = { status: "rejected", reason: error };
    expect(await Promise.allSettled(waits)).toEqual([rejected, rejected]);
  });

  test("holds that keys are unique among those that wait", () => {
    const { wait } = setUp();
    void wait(1);
    expect(() => wait(1)).toThrow("request keys are unique");
  });

  test("knows a request by the place of its entry, and takes no other entry there for its own", () => {
    const { proposals, wait } = setUp();
    const [lost, kept] = [wait(1), wait(2)];
    proposals.place(lost, { index: 7, term: 1 });
    expect(proposals.placedAt(7, 1)).toBe(lost);
    expect(proposals.placedAt(7, 2)).toBeUndefined();
    expect(proposals.placedAt(8, 1)).toBeUndefined();
    // Another leader's term has cut the log; later this member leads again and puts another entry there.
    proposals.place(kept, { index: 7, term: 3 });
    proposals.expire(100, () => new Error("late"));
    expect(proposals.placedAt(7, 3)).toBeUndefined();
    expect(proposals.size).toBe(0);
  });

  test("forgets the place of a request that was given up, not that of the one which took it", () => {
    const { proposals, wait } = setUp();
    const [early, late] = [wait(1), wait(2, { deadlineMs: 200 })];
    proposals.place(early, { index: 7, term: 1 });
    proposals.place(late, { index: 7, term: 3 });
    proposals.expire(100, () => new Error("late"));
    expect(proposals.placedAt(7, 3)).toBe(late);
  });
});
