/** Real leaders lead us: what they send is read, and what we answer is understood. */
import { utf8Text } from "@conclave/base";
import { type EtcdVersion, etcdAbsence, freePorts } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { type EtcdMember, startEtcdMember } from "./testing/etcd-member.ts";
import { type RaftMember, raftMember } from "./testing/raft-member.ts";

const timeoutMs = 60_000;
const call = (etcd: EtcdMember) => ({ urls: [etcd.peerUrl], timeoutMs: 10_000 });

/** Adds a learner with our network to a real etcd. */
async function join(etcd: EtcdMember): Promise<RaftMember> {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const id = await etcd.addLearner(url);
  const learner = await raftMember({ id, clusterId: etcd.clusterId, listenUrl: url, peerUrls: [url] });
  learner.member.transport.addPeer(etcd.id, [etcd.peerUrl]);
  return learner;
}

function hasApplied({ applied }: RaftMember, text: string): boolean {
  return applied.some(({ data }) => utf8Text(data).includes(text));
}

for (const version of ["3.4", "3.5"] satisfies EtcdVersion[]) {
  const absent = etcdAbsence(version);
  describe.skipIf(absent)(absent ?? `a learner of etcd ${version}`, () => {
    it(
      "receives the log, acknowledges it, gets its vote and is needed for every write",
      async () => {
        await using etcd = await startEtcdMember(version);
        await etcd.put("before", "first value");
        await using learner = await join(etcd);
        await learner.member.until(() => hasApplied(learner, "first value"));
        await etcd.put("while", "second value");
        await learner.member.until(() => hasApplied(learner, "second value"));
        await learner.member.until(() => learner.received.some(({ type }) => type === "MsgHeartbeat"));

        const members = await learner.member.network.promote(call(etcd), learner.member.identity.memberId);
        expect(members.map(({ isLearner }) => isLearner)).toEqual([false, false]);
        // Two voters, a quorum of two: without our acknowledgement this would not return.
        await etcd.put("after", "third value");
        await learner.member.until(() => hasApplied(learner, "third value"));
        expect(learner.node.confState.voters.toSorted()).toEqual(
          [etcd.id, learner.member.identity.memberId].toSorted(),
        );
        expect(learner.databases).toEqual([]);
      },
      timeoutMs,
    );

    it(
      "receives a snapshot with the database when the log does not reach back",
      async () => {
        await using etcd = await startEtcdMember(version, ["--snapshot-count=10"]);
        for (let count = 0; count < 30; count++) await etcd.put("key", `value ${count}`);
        // After a start, etcd's log in memory begins at its last snapshot.
        await etcd.process.restart();
        await using learner = await join(etcd);
        await learner.member.until(() => learner.databases.length > 0);
        await etcd.put("after", "value after the snapshot");
        await learner.member.until(() => hasApplied(learner, "value after the snapshot"));
        const [database = new Uint8Array()] = learner.databases;
        expect(Buffer.from(database).readUInt32LE(16)).toBe(0xed0cdaed);
        expect(Buffer.from(database).includes("value 29")).toBe(true);
        const { type, snapshot } = learner.received.find((message) => message.type === "MsgSnap") ?? {};
        expect([type, snapshot?.metadata.confState.voters]).toEqual(["MsgSnap", [etcd.id]]);
        expect(JSON.parse(utf8Text(snapshot?.data ?? new Uint8Array()))).toHaveProperty("Root");
      },
      timeoutMs,
    );

    it(
      "learns that it was removed",
      async () => {
        await using etcd = await startEtcdMember(version);
        await using learner = await join(etcd);
        await learner.member.until(() => learner.applied.length > 0);
        await etcd.remove(learner.member.identity.memberId);
        await learner.member.until(() => learner.member.removals > 0);
        expect(learner.member.removals).toBe(1);
      },
      timeoutMs,
    );
  });
}
