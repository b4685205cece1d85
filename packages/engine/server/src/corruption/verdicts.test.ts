import { describe, expect, test } from "vitest";
import type { PeerHash } from "./peer-hashes.ts";
import { compactionVerdict, differingPeers, type OwnHash, periodicFinding } from "./verdicts.ts";

const [leaderId, b, c, d, e] = [1n, 2n, 3n, 4n, 5n] as const;
const own: OwnHash = { hash: 7, compactRevision: 10, hashRevision: 20, currentRevision: 20 };

/** The answer of a member, equal to the leader's where nothing else is said. */
function answer(id: bigint, { hash = 7, compactRevision = 10, revision = 20 } = {}): PeerHash {
  const header = { clusterId: 9n, memberId: id, revision, raftTerm: 2 };
  return { id, response: { header, hash, compactRevision, hashRevision: 20 } };
}

const silence = (id: bigint): PeerHash => ({ id, error: new Error("nobody there") });

describe("differingPeers()", () => {
  test("are those with another hash of the same history", () => {
    expect(differingPeers(own, [answer(b), answer(c, { hash: 8 }), answer(d, { hash: 9 })])).toEqual([c, d]);
  });

  test("are not those that have compacted to another revision, or do not answer", () => {
    expect(differingPeers(own, [answer(b, { hash: 8, compactRevision: 15 }), silence(c)])).toEqual([]);
  });
});

describe("periodicFinding()", () => {
  const find = (peers: readonly PeerHash[], after: Partial<OwnHash> = {}) =>
    periodicFinding({ leaderId, before: own, after: { ...own, ...after }, peers })?.memberId;

  test("is none while all agree", () => {
    expect(find([answer(b), answer(c)])).toBeUndefined();
  });

  test("is the leader, if its hash of the same history changes", () => {
    expect(find([answer(b)], { hash: 8 })).toBe(leaderId);
  });

  test("is not the leader, if it wrote or compacted meanwhile", () => {
    expect(find([], { hash: 8, hashRevision: 21, currentRevision: 21 })).toBeUndefined();
    expect(find([], { hash: 8, compactRevision: 11 })).toBeUndefined();
  });

  test("is a member with another hash", () => {
    expect(find([answer(b), answer(c, { hash: 8 })])).toBe(c);
  });

  test("is a member with revisions that the confirmed leader does not have", () => {
    expect(find([answer(b, { revision: 21 })])).toBe(b);
    expect(find([answer(b, { revision: 21 })], { hashRevision: 21, currentRevision: 21 })).toBeUndefined();
  });

  test("is a member that has compacted what the confirmed leader has not", () => {
    expect(find([answer(b, { compactRevision: 11, hash: 8 })])).toBe(b);
    expect(find([answer(b, { compactRevision: 11, hash: 8 })], { compactRevision: 11 })).toBeUndefined();
  });

  test("is not a member whose history begins elsewhere, nor one that does not answer", () => {
    expect(find([answer(b, { compactRevision: 5, hash: 8 }), silence(c)])).toBeUndefined();
  });

  test("is one member at a time", () => {
    expect(find([answer(b, { hash: 8 }), answer(c, { hash: 8 })])).toBe(b);
  });
});

describe("compactionVerdict()", () => {
  const judge = (...peers: readonly PeerHash[]) => {
    const { settled, findings } = compactionVerdict(leaderId, own, peers);
    return { settled, members: findings.map(({ memberId }) => memberId) };
  };

  test("is settled once all members have told the same hash", () => {
    expect(judge(answer(b), answer(c))).toEqual({ settled: true, members: [] });
    expect(judge(answer(b), silence(c))).toEqual({ settled: false, members: [] });
    expect(judge(answer(b), answer(c, { compactRevision: 5, hash: 8 }))).toEqual({ settled: false, members: [] });
  });

  test("finds those that are not with the majority", () => {
    expect(judge(answer(b), answer(c, { hash: 8 }))).toEqual({ settled: true, members: [c] });
    expect(judge(answer(b), answer(c), answer(d, { hash: 8 }), answer(e, { hash: 9 }))).toEqual({
      settled: true,
      members: [d, e],
    });
  });

  test("finds the leader, if it is not with the majority", () => {
    expect(judge(answer(b, { hash: 8 }), answer(c, { hash: 8 }))).toEqual({ settled: true, members: [leaderId] });
  });

  test("suspects the whole cluster, as member 0, where there is no majority", () => {
    expect(judge(answer(b, { hash: 8 }))).toEqual({ settled: true, members: [0n] });
    expect(judge(answer(b, { hash: 8 }), silence(c))).toEqual({ settled: true, members: [0n] });
  });

  test("counts the majority among all members, not only among those that answer", () => {
    expect(judge(answer(b), answer(c, { hash: 8 }), silence(d), silence(e)).members).toEqual([0n]);
  });
});
