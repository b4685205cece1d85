/** Real etcds lead us and are led by us: what they send is read, and what we send is understood. */
import { utf8Text } from "@conclave/base";
import { type EtcdVersion, etcdAbsence, freePorts } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import type { PeerMember } from "./peer-network.ts";
import { type EtcdMember, startEtcdMember } from "./testing/etcd-member.ts";
import { type RaftMember, raftMember } from "./testing/raft-member.ts";

const timeoutMs = 60_000;

/** Adds a learner with our network to a real etcd. */
async function join(etcd: EtcdMember): Promise<RaftMember> {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const id = await etcd.addLearner(url);
  const learner = await raftMember({ id, clusterId: etcd.clusterId, listenUrl: url, peerUrls: [url] });
  learner.member.transport.addPeer(etcd.id, [etcd.peerUrl]);
  return learner;
}

/** Gives our learner its vote, as soon as etcd finds that it keeps up. */
async function promote(etcd: EtcdMember, { member, received }: RaftMember): Promise<readonly PeerMember[]> {
  for (;;) {
    try {
      return await member.network.promote({ urls: [etcd.peerUrl], timeoutMs: 10_000 }, member.identity.memberId);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "LearnerNotReady")) throw error;
      const before = received.length;
      await member.until(() => received.length > before);
    }
  }
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

        const members = await promote(etcd, learner);
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
      "leads it, when leadership is handed over: etcd forwards writes and reads, appends and acknowledges",
      async () => {
        await using etcd = await startEtcdMember(version);
        await using learner = await join(etcd);
        const { memberId } = learner.member.identity;
        await learner.member.until(() => learner.applied.length > 0);
        await promote(etcd, learner);
        await learner.member.until(() => learner.node.confState.voters.length === 2);
        learner.startClock();
        await etcd.call("maintenance/transfer-leadership", { targetID: `${memberId}` });
        await learner.member.until(() => learner.node.status.role === "leader");
        for (let count = 0; count < 20; count++) await etcd.put("led", `value ${count}`);
        await learner.member.until(() => hasApplied(learner, "value 19"));
        const read = await etcd.call("kv/range", { key: Buffer.from("led").toString("base64") });
        expect(read).toMatchObject({ kvs: [{ value: Buffer.from("value 19").toString("base64") }] });
        const kinds = new Set(learner.received.map(({ type }) => type));
        for (const kind of [
          "MsgTimeoutNow",
          "MsgVoteResp",
          "MsgProp",
          "MsgReadIndex",
          "MsgAppResp",
          "MsgHeartbeatResp",
        ])
          expect(kinds).toContain(kind);
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
