import { utf8Text } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import { PeerError } from "@conclave/peer";
import { WireError } from "@conclave/protocol";
import type { ConfChange, MemberProgress } from "@conclave/raft";
import { type VirtualTime, virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../log.ts";
import { labPeers } from "../testing/peer-lab.ts";
import { createMembership, type Membership } from "./membership.ts";
import { applyMembershipChange } from "./membership-changes.ts";
import { type PromotingMember, promoteLearner } from "./promotion.ts";

let time: VirtualTime;
let membership: Membership;
beforeEach(() => {
  time = virtualTime();
  membership = createMembership(createMemoryBackend());
  for (const id of [1n, 2n])
    membership.add({ id, name: `m${id}`, peerUrls: [`http://m${id}:1`], clientUrls: [], isLearner: false });
  membership.add({ id: 3n, name: "", peerUrls: ["http://m3:1"], clientUrls: [], isLearner: true });
});

function progressOf(match: number): MemberProgress {
  return { match, next: match + 1, state: "replicate", recentActive: true, isLearner: false, inflights: 0 };
}

/** A member 1 that leads with these matches, or follows if there are none. */
function promoter(matches: readonly number[] | undefined, more: Partial<PromotingMember> = {}): PromotingMember {
  const progress = matches && new Map(matches.map((match, at) => [BigInt(at + 1), progressOf(match)]));
  const peers = labPeers({});
  return {
    id: 1n,
    leader: matches === undefined ? 2n : 1n,
    membership,
    ports: { clock: time, scheduler: time, peers, log: silentLog } as unknown as PromotingMember["ports"],
    progress: () => progress,
    proposeConfChange: async (change) => {
      const { error } = applyMembershipChange({ ...change, id: 1n }, membership);
      if (error !== undefined) throw error;
    },
    requestTimeoutMs: 7000,
    settings: { heartbeatIntervalMs: 100 } as PromotingMember["settings"],
    ...more,
  };
}

function withLeader(promote: (urls: readonly string[]) => Promise<never[]>): PromotingMember {
  const follower = promoter(undefined);
  const peers = { ...labPeers({}), promote: ({ urls }: { readonly urls: readonly string[] }) => promote(urls) };
  return { ...follower, ports: { ...follower.ports, peers } as unknown as PromotingMember["ports"] };
}

describe("promoteLearner() at the leader", () => {
  test("proposes what etcd proposes", async () => {
    const proposed: Omit<ConfChange, "id">[] = [];
    const leader = promoter([100, 100, 100], { proposeConfChange: async (change) => void proposed.push(change) });
    await promoteLearner(leader, 3n);
    expect(proposed.map(({ type, nodeId, context }) => [type, nodeId, utf8Text(context)])).toEqual([
      ["addNode", 3n, '{"id":3,"peerURLs":null,"isPromote":true}'],
    ]);
  });

  test("asks for nine tenths of the leader's log", async () => {
    await expect(promoteLearner(promoter([100, 100, 89]), 3n)).rejects.toMatchObject({ code: "LearnerNotReady" });
    const members = await promoteLearner(promoter([100, 100, 90]), 3n);
    expect(members.map(({ id, isLearner }) => [id, isLearner])).toEqual([
      [1n, false],
      [2n, false],
      [3n, false],
    ]);
  });

  test.each([
    ["a stranger", 9n, "MemberNotFound"],
    ["a voter", 2n, "MemberNotLearner"],
  ])("refuses %s", async (_, id, code) => {
    await expect(promoteLearner(promoter([5, 5, 5]), id)).rejects.toMatchObject({ code });
  });

  test("refuses while too few voters have started, if it is strict", async () => {
    for (const id of [5n, 6n, 7n])
      membership.add({ id, name: "", peerUrls: [`http://m${id}:1`], clientUrls: [], isLearner: false });
    const matches = [5, 5, 5, 0, 5, 5, 5];
    const lax = { settings: { heartbeatIntervalMs: 100, strictReconfigCheck: false } as PromotingMember["settings"] };
    await expect(promoteLearner(promoter(matches), 3n)).rejects.toMatchObject({ code: "MemberNotEnoughStarted" });
    await expect(promoteLearner(promoter(matches, lax), 3n)).resolves.toBeDefined();
  });
});

describe("promoteLearner() elsewhere", () => {
  test("passes the request on to the leader", async () => {
    const asked: string[] = [];
    const follower = withLeader(async (urls) => {
      asked.push(...urls);
      return [];
    });
    expect(await promoteLearner(follower, 3n)).toEqual([]);
    expect(asked).toEqual(["http://m2:1"]);
  });

  test("passes the leader's refusal back", async () => {
    const refusal = new WireError("LearnerNotReady");
    await expect(
      promoteLearner(
        withLeader(() => Promise.reject(refusal)),
        3n,
      ),
    ).rejects.toBe(refusal);
  });

  test("asks again while the leader does not answer, until its time is over", async () => {
    let asked = 0;
    const follower = withLeader(() => {
      asked += 1;
      return Promise.reject(new PeerError("UNREACHABLE", "gone"));
    });
    await expect(time.complete(promoteLearner(follower, 3n))).rejects.toMatchObject({ code: "Timeout" });
    expect(asked).toBe(70);
    expect(time.monotonicMs()).toBe(7000);
  });

  test("says so if no leader is known", async () => {
    const lost = promoter(undefined, { leader: 0n });
    await expect(time.complete(promoteLearner(lost, 3n))).rejects.toMatchObject({ code: "NoLeader" });
  });
});
