import { describe, expect, test } from "vitest";
import { createProposals } from "./proposals.ts";

describe("createProposals()", () => {
  test("gives each waiter the outcome of its own entry", async () => {
    const proposals = createProposals<string>();
    const first = proposals.wait(1, { startMs: 0, deadlineMs: 100 });
    const second = proposals.wait(2, { startMs: 0, deadlineMs: 100 });
    proposals.settle(2, { ok: true, value: "two" });
    proposals.settle(1, { ok: true, value: "one" });
    expect(await first).toBe("one");
    expect(await second).toBe("two");
    expect(proposals.size).toBe(0);
  });

  test("passes over entries that nobody waits for", () => {
    expect(() => createProposals<string>().settle(1, { ok: true, value: "" })).not.toThrow();
  });

  test("ends a wait once its deadline has come, with the reason given for it, and no other", async () => {
    const proposals = createProposals<string>();
    const early = proposals.wait(1, { startMs: 0, deadlineMs: 100 });
    const late = proposals.wait(2, { startMs: 0, deadlineMs: 101 });
    proposals.expire(100, ({ startMs }) => new Error(`late since ${startMs}`));
    await expect(early).rejects.toThrow("late since 0");
    expect(proposals.size).toBe(1);
    proposals.settle(2, { ok: true, value: "in time" });
    expect(await late).toBe("in time");
  });

  test("ends every wait when the member stops", async () => {
    const proposals = createProposals<string>();
    const waits = [
      proposals.wait(1, { startMs: 0, deadlineMs: 100 }),
      proposals.wait(2, { startMs: 0, deadlineMs: 100 }),
    ];
    const error = new Error("stopped");
    proposals.abandon(error);
    const rejected = { status: "rejected", reason: error };
    expect(await Promise.allSettled(waits)).toEqual([rejected, rejected]);
  });

  test("holds that keys are unique among those that wait", () => {
    const proposals = createProposals<string>();
    void proposals.wait(1, { startMs: 0, deadlineMs: 100 });
    expect(() => proposals.wait(1, { startMs: 0, deadlineMs: 100 })).toThrow("request keys are unique");
  });
});
