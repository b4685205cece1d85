import { isConclaveError } from "@conclave/client";
import { type ClusterMember, startCluster } from "@conclave/testkit";
import { expect, test } from "vitest";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { clientOf, eventually, followersOf, hashesOf, program } from "./subject.ts";

function flagsWith(...flags: readonly string[]): { readonly flags: readonly string[] } {
  return { flags: [...(program.flags ?? []), ...flags] };
}

async function expectEqualHashes(members: readonly ClusterMember[]): Promise<void> {
  const hashes = await hashesOf(members);
  expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
}

test("a member that was wiped and let in again catches up by a snapshot while writes go on", async () => {
  const small = flagsWith(
    "--snapshot-count=100",
    ...(program.kind === "etcd" ? [] : ["--snapshot-catchup-entries=20"]),
  );
  await using cluster = await startCluster({ ...program, ...small });
  const leader = await cluster.waitForLeader({ among: cluster.members });
  const [wiped, other] = followersOf(cluster, leader);
  await using workload = new KvWorkload({ endpoints: [leader.endpoint, other.endpoint] });
  await eventually(async () => expect(workload.answered).toBeGreaterThan(300));
  workload.nextRound();
  await cluster.replaceMember(wiped);
  await workload.serves();
  workload.nextRound();
  await workload.serves();
  expect(await workload.verify()).toBeGreaterThan(300);
  await expectEqualHashes(cluster.members);
  if (program.kind !== "etcd") expect(wiped.log).toMatch(/snapshot/i);
});

test("a cluster grows from one to five members and shrinks to one under load, and loses nothing", async () => {
  await using cluster = await startCluster({ ...program, size: 1 });
  const [founder] = cluster.members;
  if (founder === undefined) throw new TypeError("a cluster has a founder");
  await using workload = new KvWorkload({ endpoints: [founder.endpoint], clients: 4 });
  for (let size = 2; size <= 5; size++) {
    await workload.serves();
    workload.nextRound();
    await cluster.addMember();
    if (size % 2 === 1) await expectEqualHashes(cluster.members);
  }
  for (const member of cluster.members.slice(1)) {
    await workload.serves();
    workload.nextRound();
    await cluster.removeMember(member);
  }
  await workload.serves();
  expect(await workload.verify()).toBeGreaterThan(100);
  await using client = clientOf(founder);
  expect((await client.cluster.memberList()).members.map(({ name }) => name)).toEqual([founder.name]);
});

test("a member that is removed stops by itself, and a leader that is removed hands over", async () => {
  await using cluster = await startCluster(program);
  const leader = await cluster.waitForLeader({ among: cluster.members });
  const [removed, other] = followersOf(cluster, leader);
  await using client = clientOf(leader, other);
  for (const member of [removed, leader]) {
    const { header } = await member.status();
    await eventually(() => client.cluster.memberRemove(header.memberId));
    await eventually(async () => expect(member.exit).toBeDefined());
    expect(member.exit, member.log).toBe(0);
    await client.put("key", member.name);
  }
  expect((await client.cluster.memberList()).members.map(({ name }) => name)).toEqual([other.name]);
});

test("a learner has no vote, and answers no linearizable read", async () => {
  await using cluster = await startCluster({ ...program, size: 2 });
  const learner = await cluster.addMember({ learner: true });
  const voters = cluster.members.filter((member) => member !== learner);
  const leader = await cluster.waitForLeader();
  await using client = clientOf(leader);
  await client.put("key", "value");
  await using asLearner = clientOf(learner);
  await expect(asLearner.get("key", { timeoutMs: 2_000 })).rejects.toSatisfy((error) =>
    isConclaveError(error, "NOT_SUPPORTED_FOR_LEARNER"),
  );
  expect((await eventually(() => asLearner.get("key", { serializable: true })))?.valueString).toBe("value");
  // Of the two voters one is not enough, whatever the learner may think of it.
  await leader.kill();
  await expect(cluster.waitForLeader({ timeoutMs: 4_000 })).rejects.toThrow("No leader");
  await leader.restart();
  expect(voters).toContain(await cluster.waitForLeader());
  // Promoted, it makes up for one that is down.
  const { header } = await learner.status();
  await using reconnected = clientOf(...voters);
  await eventually(() => reconnected.cluster.memberPromote(header.memberId));
  await leader.kill();
  await cluster.waitForLeader();
  await reconnected.put("key", "again");
});
