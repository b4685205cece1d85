import type { KvHash } from "@conclave/mvcc";
import { WireError } from "@conclave/protocol";
import type { HashKVResponse } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { silentLog } from "../log.ts";
import type { ClusterMember } from "../membership/membership.ts";
import { CorruptionChecker, type CorruptionCheckerPorts } from "./corruption-checker.ts";

type Answer = HashKVResponse | Error;

const hashOf = (hash: number, revision = 20, compactRevision = -1): HashKVResponse => ({
  header: { clusterId: 9n, memberId: 0n, revision, raftTerm: 2 },
  hash,
  compactRevision,
  hashRevision: revision,
});

function memberAt(url: string): ClusterMember {
  return { id: BigInt(url.charCodeAt(0)), name: url, peerUrls: [url], clientUrls: [], isLearner: false };
}
const [b, c] = [BigInt("b".charCodeAt(0)), BigInt("c".charCodeAt(0))];

/** A leader, member 1, beside members that answer so, by URL. */
function lab(answers: Readonly<Record<string, Answer>>, more: Partial<CorruptionCheckerPorts> = {}) {
  const raised: bigint[] = [];
  const asked: string[] = [];
  const checker = new CorruptionChecker({
    memberId: 1n,
    clusterId: 9n,
    isLeader: () => true,
    others: () => Object.keys(answers).map(memberAt),
    hash: async () => hashOf(7),
    compactionHashes: () => [],
    linearizable: async () => {},
    peers: {
      hashKv: async ({ urls: [url = ""] }, { revision, clusterId }) => {
        asked.push(`${url}@${revision} of ${clusterId}`);
        const answer = answers[url];
        if (answer === undefined || answer instanceof Error) throw answer ?? new Error("nobody there");
        return answer;
      },
    },
    timeoutMs: 1_000,
    raise: async (memberId) => raised.push(memberId),
    log: silentLog,
    ...more,
  });
  return { checker, raised, asked };
}

describe("checkInitially()", () => {
  test("asks all other members for their hash at the member's own revision", async () => {
    const { checker, asked } = lab({ b: hashOf(7, 25), c: hashOf(7) });
    await checker.checkInitially();
    expect(asked).toEqual(["b@20 of 9", "c@20 of 9"]);
  });

  test("refuses a member whose history differs from another's, and says from whose", async () => {
    const { checker } = lab({ b: hashOf(7), c: hashOf(8) });
    await expect(checker.checkInitially()).rejects.toMatchObject({
      code: "CORRUPT",
      message: `Cannot start as the data of member 1 up to revision 20 differs from that of ${c.toString(16)}: remove this member, delete its data directory and add it anew`,
    });
  });

  test.each([
    ["is behind", new WireError("FutureRev")],
    ["has compacted the revision", new WireError("Compacted")],
    ["cannot be asked", new Error("nobody there")],
    ["has compacted to another revision", hashOf(8, 20, 15)],
  ])("passes over a member that %s", async (_, answer) => {
    await lab({ b: answer }).checker.checkInitially();
  });
});

describe("checkPeriodically()", () => {
  test("raises the alarm for a member whose history differs", async () => {
    const { checker, raised } = lab({ b: hashOf(7), c: hashOf(8) });
    await checker.checkPeriodically();
    expect(raised).toEqual([c]);
  });

  test("is the leader's", async () => {
    const { checker, raised, asked } = lab({ b: hashOf(8) }, { isLeader: () => false });
    await checker.checkPeriodically();
    expect([raised, asked]).toEqual([[], []]);
  });

  test("finds nothing while leadership is not confirmed, and tries again", async () => {
    let confirmations = 0;
    const linearizable = async (): Promise<void> => {
      if (confirmations++ === 0) throw new WireError("Timeout");
    };
    const { checker, raised } = lab({ b: hashOf(8) }, { linearizable });
    await checker.checkPeriodically();
    expect(raised).toEqual([]);
    await checker.checkPeriodically();
    expect(raised).toEqual([b]);
  });

  test("does not look twice at once", async () => {
    const { checker, raised } = lab({ b: hashOf(8) });
    await Promise.all([checker.checkPeriodically(), checker.checkPeriodically()]);
    expect(raised).toEqual([b]);
  });
});

describe("checkCompactions()", () => {
  const left = (hashRevision: number): KvHash => ({ hash: 7, compactRevision: -1, hashRevision });

  test("compares the newest compaction, and each only once", async () => {
    const hashes = [left(5), left(9)];
    const { checker, asked } = lab({ b: hashOf(7) }, { compactionHashes: () => hashes });
    await checker.checkCompactions();
    await checker.checkCompactions();
    expect(asked).toEqual(["b@9 of 9"]);
    hashes.push(left(12));
    await checker.checkCompactions();
    expect(asked.at(-1)).toBe("b@12 of 9");
  });

  test("goes back to older ones while a member cannot tell of the newest", async () => {
    const { checker, asked } = lab({ b: new Error("nobody there") }, { compactionHashes: () => [left(5), left(9)] });
    await checker.checkCompactions();
    expect(asked).toEqual(["b@9 of 9", "b@5 of 9"]);
  });

  test("raises the alarm for those that are not with the majority", async () => {
    const { checker, raised } = lab({ b: hashOf(7), c: hashOf(8) }, { compactionHashes: () => [left(9)] });
    await checker.checkCompactions();
    expect(raised).toEqual([c]);
  });

  test("has nothing to compare in a cluster of one", async () => {
    const { checker, raised } = lab({}, { compactionHashes: () => [left(9)] });
    await checker.checkCompactions();
    expect(raised).toEqual([]);
  });
});
