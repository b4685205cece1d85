import { utf8Text } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import { GrpcStatus } from "@conclave/protocol";
import type { ConfChange } from "@conclave/raft";
import { virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { computeAddedMemberId } from "../consensus/ids.ts";
import { silentLog } from "../log.ts";
import { createMembership, type Membership } from "../membership/membership.ts";
import { applyMembershipChange } from "../membership/membership-changes.ts";
import { labPeers } from "../testing/peer-lab.ts";
import { ClusterService, type ReconfiguringMember } from "./cluster-service.ts";

let membership: Membership;
let proposed: Omit<ConfChange, "id">[];
let active: Map<bigint, number>;
let reads: number;
beforeEach(() => {
  membership = createMembership(createMemoryBackend());
  for (const id of [1n, 2n, 3n])
    membership.add({ id, name: `m${id}`, peerUrls: [`http://m${id}:1`], clientUrls: [], isLearner: false });
  proposed = [];
  reads = 0;
  active = new Map([
    [2n, 0],
    [3n, 0],
  ]);
});

const wallSec = 1_704_067_200;

function service(settings: Partial<ReconfiguringMember["settings"]> = {}): ClusterService {
  const time = virtualTime();
  const clock = { monotonicMs: () => 60_000, wallMs: () => wallSec * 1000 + 999 };
  return new ClusterService({
    id: 1n,
    leader: 1n,
    membership,
    ports: { clock, scheduler: time, peers: labPeers({}), log: silentLog } as unknown as ReconfiguringMember["ports"],
    settings: { heartbeatIntervalMs: 100, ...settings } as ReconfiguringMember["settings"],
    requestTimeoutMs: 7000,
    transport: { activeSince: (id: bigint) => active.get(id) } as ReconfiguringMember["transport"],
    header: () => ({ clusterId: 9n, memberId: 1n, revision: 5, raftTerm: 2 }),
    linearizable: async () => void reads++,
    progress: () => undefined,
    proposeConfChange: async (change) => {
      proposed.push(change);
      const { error } = applyMembershipChange({ ...change, id: 1n }, membership);
      if (error !== undefined) throw error;
    },
  });
}

const header = { clusterId: 9n, memberId: 1n, revision: 0, raftTerm: 2 };

describe("memberList()", () => {
  test("tells the members, after a read of the quorum if it is asked for", async () => {
    const { members } = await service().memberList({ linearizable: false });
    expect(reads).toBe(0);
    expect(members.map(({ ID }) => ID)).toEqual([1n, 2n, 3n]);
    expect(await service().memberList({ linearizable: true })).toMatchObject({ header });
    expect(reads).toBe(1);
  });
});

describe("memberAdd()", () => {
  const urls = ["http://b:1", "http://a:1"];

  test("proposes a member whose id comes from its sorted URLs and the time", async () => {
    const answer = await service().memberAdd({ peerURLs: urls, isLearner: false });
    const id = computeAddedMemberId(urls, wallSec);
    const member = { ID: id, name: "", peerURLs: ["http://a:1", "http://b:1"], clientURLs: [], isLearner: false };
    expect(answer).toMatchObject({ header, member });
    expect(answer.members).toHaveLength(4);
    expect(proposed.map(({ type, nodeId, context }) => [type, nodeId, utf8Text(context)])).toEqual([
      ["addNode", id, `{"id":${id},"peerURLs":["http://a:1","http://b:1"]}`],
    ]);
  });

  test("proposes a learner as such", async () => {
    await service().memberAdd({ peerURLs: ["http://a:1"], isLearner: true });
    expect(proposed.map(({ type, context }) => [type, utf8Text(context).includes('"isLearner":true')])).toEqual([
      ["addLearnerNode", true],
    ]);
  });

  test.each([[[]], [["a:1"]], [["http://a"]], [["http://a:1/x"]], [["http://a:1", ""]]])(
    "refuses the URLs %j before all else",
    async (peerURLs) => {
      active.clear();
      const added = service().memberAdd({ peerURLs, isLearner: false });
      await expect(added).rejects.toMatchObject({ code: "MemberBadURLs" });
      expect(proposed).toEqual([]);
    },
  );

  test("refuses what applying it refuses", async () => {
    const added = service().memberAdd({ peerURLs: ["http://m2:1"], isLearner: false });
    await expect(added).rejects.toMatchObject({ code: "PeerURLExist" });
  });

  test("does not propose to an unhealthy cluster, unless checks are off", async () => {
    active.delete(3n);
    const request = { peerURLs: ["http://a:1"], isLearner: false };
    await expect(service().memberAdd(request)).rejects.toMatchObject({ code: "Unhealthy" });
    expect(proposed).toEqual([]);
    await service({ strictReconfigCheck: false }).memberAdd(request);
    expect(proposed).toHaveLength(1);
  });
});

describe("memberRemove()", () => {
  test("proposes the removal, without a word of the member", async () => {
    const { members } = await service().memberRemove({ ID: 3n });
    expect(members.map(({ ID }) => ID)).toEqual([1n, 2n]);
    expect(proposed).toMatchObject([{ type: "removeNode", nodeId: 3n, context: new Uint8Array() }]);
  });

  // etcd 3.4 and 3.5: "code = Unknown desc = etcdserver: re-configuration failed due to not enough started members".
  test("refuses to remove the last one, with the status of etcd", async () => {
    membership.remove(2n);
    membership.remove(3n);
    await expect(service().memberRemove({ ID: 1n })).rejects.toMatchObject({
      status: GrpcStatus.Unknown,
      message: "etcdserver: re-configuration failed due to not enough started members",
    });
  });

  test("refuses a stranger", async () => {
    await expect(service().memberRemove({ ID: 9n })).rejects.toMatchObject({ code: "MemberNotFound" });
  });
});

describe("memberUpdate()", () => {
  test("proposes the new URLs", async () => {
    await service().memberUpdate({ ID: 2n, peerURLs: ["http://new:1"] });
    expect(membership.member(2n)?.peerUrls).toEqual(["http://new:1"]);
    expect(proposed.map(({ type, context }) => [type, utf8Text(context)])).toEqual([
      ["updateNode", '{"id":2,"peerURLs":["http://new:1"]}'],
    ]);
  });

  test.each([
    [9n, ["http://new:1"], "MemberNotFound"],
    [2n, ["http://m3:1"], "PeerURLExist"],
    [2n, ["nonsense"], "MemberBadURLs"],
  ])("refuses %s %j: %s", async (ID, peerURLs, code) => {
    await expect(service().memberUpdate({ ID, peerURLs })).rejects.toMatchObject({ code });
  });
});
