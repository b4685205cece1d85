import { utf8 } from "@conclave/base";
import { PutRequest } from "@conclave/protocol/etcdserverpb";
import type { ProposeResult } from "@conclave/raft";
import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { decodeCommand } from "../apply/commands.ts";
import { createRequestIds } from "./ids.ts";
import { Proposer } from "./proposer.ts";

const self = 0x1234_5678_9abc_def0n;
const put = PutRequest.fromPartial({ key: utf8("k"), value: utf8("v") });

/** A member's proposer on a raft that answers as it is told. */
function setUp(maxRequestBytes = 1000) {
  const time = virtualTime();
  const taken: Uint8Array[] = [];
  const state: { answer: ProposeResult } = { answer: { kind: "accepted", index: 1, term: 1 } };
  const take = (data: Uint8Array): ProposeResult => {
    if (state.answer.kind !== "dropped") taken.push(data);
    return state.answer;
  };
  const proposer = new Proposer(
    {
      clock: time,
      ids: createRequestIds(self, time),
      raft: () => ({ propose: take, proposeConfChange: ({ context }) => take(context) }),
      route: () => ({
        ...{ self, leader: self, electedMs: 0, electionTimeoutMs: 0, voters: [self] },
        activeSince: () => undefined,
      }),
      timeoutMs: 7000,
      maxRequestBytes,
      clusterVersion: () => "3.6.0",
    },
    self,
  );
  const idOf = (at: number): bigint => decodeCommand(taken[at] as Uint8Array)?.id ?? 0n;
  return { time, taken, state, proposer, idOf };
}

const response = { header: undefined, prevKv: undefined };

describe("Proposer", () => {
  test("brings a request the outcome of its own entry, whoever led", async () => {
    const { state, proposer, idOf } = setUp();
    const first = proposer.propose("put", put);
    state.answer = { kind: "forwarded", to: 7n };
    const second = proposer.propose("put", put);
    proposer.settle(idOf(1), { ok: true, value: response });
    expect(await second).toBe(response);
    expect(proposer.size).toBe(1);
    proposer.settle(idOf(0), { ok: false, error: new Error("refused") });
    await expect(first).rejects.toThrow("refused");
  });

  test("does not take the entry of another member for its own, though all but the member is alike in their ids", () => {
    const { proposer, idOf } = setUp();
    void proposer.propose("put", put);
    proposer.settle(idOf(0) ^ (1n << 48n), { ok: true, value: response });
    expect(proposer.size).toBe(1);
  });

  test("waits for a leader, and gives up when the time of the request is over", async () => {
    const { time, taken, state, proposer } = setUp();
    state.answer = { kind: "dropped", reason: "noLeader" };
    const early = proposer.propose("put", put);
    await time.advance(1000);
    const late = proposer.propose("put", put);
    proposer.expire(7000);
    await expect(early).rejects.toThrow("etcdserver: request timed out");
    state.answer = { kind: "accepted", index: 1, term: 1 };
    proposer.retryUnsent();
    expect(taken).toHaveLength(1);
    proposer.abandon(new Error("stopped"));
    await expect(late).rejects.toThrow("stopped");
  });

  test.each([
    ["tooLarge", "etcdserver: request is too large"],
    ["tooManyUncommitted", "etcdserver: too many requests"],
    ["notMember", "etcdserver: server stopped"],
  ] as const)("says at once why raft will not take a proposal (%s)", async (reason, text) => {
    const { state, proposer } = setUp();
    state.answer = { kind: "dropped", reason };
    await expect(proposer.propose("put", put)).rejects.toThrow(text);
  });

  test("refuses what is too large before raft sees it", async () => {
    const { taken, proposer } = setUp(20);
    await expect(proposer.propose("put", put)).rejects.toThrow("etcdserver: request is too large");
    expect(taken).toEqual([]);
  });

  test("refuses when 5000 requests wait", async () => {
    const { proposer } = setUp();
    for (let at = 0; at < 5000; at++) void proposer.propose("put", put);
    await expect(proposer.propose("put", put)).rejects.toThrow("etcdserver: too many requests");
    await expect(
      proposer.proposeConfChange({ type: "removeNode", nodeId: 1n, context: new Uint8Array() }),
    ).rejects.toThrow("etcdserver: too many requests");
  });

  test.each([
    { kind: "forwarded", to: 7n },
    { kind: "dropped", reason: "noLeader" },
  ] as const)("as leader proposes here or not at all ($kind)", async (answer) => {
    const { state, proposer } = setUp();
    state.answer = answer;
    await expect(proposer.proposeAsLeader("leaseRevoke", { ID: 1n })).rejects.toThrow("etcdserver: not leader");
    expect(proposer.size).toBe(0);
  });
});
