import { existsSync } from "node:fs";
import { type Client, createClient } from "@conclave/client";
import {
  type ClusterMember,
  type ClusterProcesses,
  etcdAbsence,
  type MemberProgram,
  namespacesAbsence,
  startCluster,
} from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const absent = etcdAbsence();
const absent35 = etcdAbsence("3.5");
const noNamespaces = namespacesAbsence();
/** Real etcd members, of which it is known how they behave: what is tested here is what is done to them. */
const etcd: MemberProgram = {
  kind: "etcd",
  flags: ["--heartbeat-interval=50", "--election-timeout=500", "--pre-vote=true"],
};

function clientOf(...members: readonly ClusterMember[]): Client {
  return createClient({ endpoints: members.map(({ endpoint }) => endpoint), timeoutMs: 1_500 });
}

/** Whether a member takes part in writes. */
async function commits(member: ClusterMember): Promise<boolean> {
  await using client = clientOf(member);
  return await client.put("harness", "x").then(
    () => true,
    () => false,
  );
}

function followersOf({ members }: ClusterProcesses, leader: ClusterMember): [ClusterMember, ClusterMember] {
  const [first, second] = members.filter((member) => member !== leader);
  if (first === undefined || second === undefined) throw new TypeError("a leader has two followers here");
  return [first, second];
}

describe.skipIf(absent)(`startCluster() ${absent ?? ""}`, () => {
  test("starts members that are one cluster, and leaves nothing behind", async () => {
    let members: readonly ClusterMember[];
    {
      await using cluster = await startCluster(etcd);
      members = cluster.members;
      const leader = await cluster.waitForLeader();
      expect(await cluster.leader()).toBe(leader);
      await using client = createClient({ endpoints: cluster.endpoints });
      expect((await client.cluster.memberList()).members.map(({ name }) => name).sort()).toEqual(["m1", "m2", "m3"]);
    }
    for (const { pid, dataDir } of members) {
      expect(() => process.kill(pid, 0)).toThrow("ESRCH");
      expect(existsSync(dataDir)).toBe(false);
    }
  });

  test("a member that is killed is missed, and comes back with what was written meanwhile", async () => {
    await using cluster = await startCluster(etcd);
    const leader = await cluster.waitForLeader();
    await leader.kill();
    const next = await cluster.waitForLeader();
    expect(next).not.toBe(leader);
    expect(await commits(next)).toBe(true);
    await leader.restart();
    await using client = clientOf(leader);
    expect(await client.getString("harness")).toBe("x");
  });

  test("a member that is down with most others comes back without waiting for them", async () => {
    await using cluster = await startCluster(etcd);
    await Promise.all(cluster.members.map((member) => member.stop()));
    expect(cluster.members.map(({ exit }) => exit)).toEqual(cluster.members.map(() => expect.anything()));
    await Promise.all(cluster.members.map((member) => member.restart({ until: "launched" })));
    await cluster.waitForLeader();
  });

  test("a wiped member can be replaced under its name and addresses", async () => {
    await using cluster = await startCluster(etcd);
    const leader = await cluster.waitForLeader();
    const [follower] = followersOf(cluster, leader);
    const before = await follower.status();
    await cluster.replaceMember(follower);
    const after = await follower.status();
    expect(after.header.clusterId).toBe(before.header.clusterId);
    expect(after.header.memberId).not.toBe(before.header.memberId);
  });

  test.skipIf(absent35)(`members of other versions join and leave ${absent35 ?? ""}`, async () => {
    await using cluster = await startCluster(etcd);
    const added = await cluster.addMember({ version: "3.5", learner: true });
    expect(await added.status()).toMatchObject({ isLearner: true, version: expect.stringMatching(/^3\.5\./) });
    await cluster.removeMember(added);
    expect(cluster.members).toHaveLength(3);
  });
});

describe.skipIf(absent)(`a cluster behind relays ${absent ?? ""}`, () => {
  test("loses what a cut takes: for a leader, one side of two, and one direction", async () => {
    await using cluster = await startCluster({ ...etcd, network: "relay" });
    const first = await cluster.waitForLeader();
    await cluster.isolate(first);
    const leader = await cluster.waitForLeader({ not: first });
    expect(await commits(leader)).toBe(true);
    expect(await commits(first)).toBe(false);
    await cluster.heal();
    await cluster.waitForLeader({ among: cluster.members });
    expect(await commits(first)).toBe(true);

    const [near, far] = followersOf(cluster, leader);
    await cluster.partition([leader, near], [far]);
    expect(await commits(near)).toBe(true);
    expect(await commits(far)).toBe(false);
    await cluster.heal();
    await cluster.waitForLeader({ among: cluster.members });

    await cluster.oneWay(leader, near);
    expect(await commits(leader)).toBe(true);
    expect(await commits(near)).toBe(false);
    await cluster.heal();
    await cluster.waitForLeader({ among: cluster.members });
    expect(await commits(near)).toBe(true);
  });
});

describe.skipIf(absent ?? noNamespaces)(`a cluster in network namespaces ${absent ?? noNamespaces ?? ""}`, () => {
  test("knows its members by host name and can be cut", async () => {
    await using cluster = await startCluster({ ...etcd, network: "namespaces" });
    const leader = await cluster.waitForLeader();
    await using client = clientOf(leader);
    const { members } = await client.cluster.memberList();
    expect(members.map(({ peerUrls }) => peerUrls[0]).sort()).toEqual(
      ["m1", "m2", "m3"].map((n) => `http://${n}:2380`),
    );
    await cluster.isolate(leader);
    const next = await cluster.waitForLeader({ not: leader });
    expect(await commits(next)).toBe(true);
    expect(await commits(leader)).toBe(false);
    await cluster.heal();
    await cluster.waitForLeader({ among: cluster.members });
    expect(await commits(leader)).toBe(true);
  });
});
