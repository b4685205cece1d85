import {
  type ClusterMember,
  type ClusterProcesses,
  etcdAbsence,
  type MemberProgram,
  startCluster,
} from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { clientOf, eventually, hashesOf } from "./subject.ts";

const absent = etcdAbsence("3.5");
const absent34 = etcdAbsence("3.4");
const etcd: MemberProgram = { kind: "etcd", version: "3.5", flags: [] };
/** A cluster that etcd 3.5 can join must not agree on a later version. */
const conclave: MemberProgram = { kind: "conclave", flags: ["--max-cluster-version=3.5"] };

async function leadWith(cluster: ClusterProcesses, member: ClusterMember): Promise<void> {
  const leader = await cluster.waitForLeader({ among: cluster.members });
  if (leader === member) return;
  await using client = clientOf(leader);
  const { header } = await member.status();
  await client.maintenance.moveLeader(header.memberId, { endpoint: leader.endpoint });
  expect(await cluster.waitForLeader({ among: cluster.members })).toBe(member);
}

/** A stranger joins as learner, is promoted, leads, and hands back; writes go on all the time. */
async function join(founders: MemberProgram, stranger: MemberProgram): Promise<void> {
  await using cluster = await startCluster({ ...founders, size: 2 });
  await using workload = new KvWorkload({ endpoints: cluster.endpoints, clients: 4 });
  await workload.serves();
  const joined = await cluster.addMember({ ...stranger, learner: true });
  expect(await joined.status()).toMatchObject({ isLearner: true });
  await using client = clientOf(...cluster.members.filter((member) => member !== joined));
  const { header } = await joined.status();
  await eventually(() => client.cluster.memberPromote(header.memberId));
  for (const member of [joined, cluster.members[0] ?? joined, joined]) {
    workload.nextRound();
    await leadWith(cluster, member);
    await workload.serves();
  }
  // The stranger is needed for a quorum, then gone, then back.
  workload.nextRound();
  const [first, second] = cluster.members;
  await first?.kill();
  await cluster.waitForLeader();
  await workload.serves();
  await first?.restart();
  await joined.kill();
  await second?.status();
  await cluster.waitForLeader();
  await workload.serves();
  await joined.restart();
  expect(await workload.verify()).toBeGreaterThan(50);
  await cluster.waitForLeader({ among: cluster.members });
  const hashes = await hashesOf(cluster.members);
  expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
}

describe.skipIf(absent)(`members of both kinds in one cluster ${absent ?? ""}`, () => {
  test("etcd 3.5 joins a cluster of Conclave", () => join(conclave, etcd));
  test("Conclave joins a cluster of etcd 3.5", () => join(etcd, conclave));
});

describe.skipIf(absent34)(`etcd 3.4 and Conclave ${absent34 ?? ""}`, () => {
  test("found a cluster together, and have the same users", async () => {
    const founders: readonly MemberProgram[] = [{ kind: "conclave" }, { kind: "etcd", version: "3.4" }];
    await using cluster = await startCluster({ founders: [...founders, { kind: "conclave" }] });
    const [ours, theirs] = cluster.members as [ClusterMember, ClusterMember];
    await using atOurs = clientOf(ours);
    const { auth, cluster: membership } = atOurs.raw;
    // A password is taken once the version is agreed on, as the log must carry it in a form that all understand.
    await eventually(() => auth.userAdd({ name: "root", password: "first-password" }));
    // It begins with the oldest that etcd knows, and goes on when every member has told its own.
    const version = async (): Promise<unknown> => (await fetch(`${ours.url}/version`)).json();
    await expect.poll(version, { timeout: 20_000 }).toMatchObject({ etcdcluster: "3.4.0" });
    expect((await membership.memberList({})).members.map(({ name }) => name).sort()).toEqual(["m1", "m2", "m3"]);
    expect(await auth.authStatus({})).toMatchObject({ enabled: false });
    await auth.userGrantRole({ user: "root", role: "root" });
    await auth.userChangePassword({ name: "root", password: "second-password" });
    await auth.userAdd({ name: "machine", options: { noPassword: true } });
    await auth.authEnable({});
    for (const { endpoint } of [ours, theirs]) {
      const logIn = (name: string, password: string) => auth.authenticate({ name, password }, { endpoint });
      expect(await logIn("root", "second-password"), endpoint).toMatchObject({ token: expect.stringContaining(".") });
      for (const wrong of ["", "first-password"])
        await expect(logIn("root", wrong), `${endpoint} with "${wrong}"`).rejects.toThrow("authentication failed");
      await expect(logIn("machine", ""), endpoint).rejects.toThrow("authentication failed");
    }
    expect(theirs.exit).toBeUndefined();
  });
});
