/** @module Who speaks to the peer port in the name of a member that was removed, of none, or of another cluster. */
import { createClient } from "@conclave/client";
import { freePorts, startMember } from "@conclave/testkit";
import { expect, test } from "vitest";

const hex = (id: bigint): string => id.toString(16);
const stranger = 0xbadn;

test("a removed member is refused for ever, whoever is no member too, and a restart changes nothing", async () => {
  const [port = 0, portOfOther = 0] = await freePorts(2);
  const peerUrl = `http://127.0.0.1:${port}`;
  await using member = await startMember({
    config: { listenPeerUrls: [peerUrl], initialAdvertisePeerUrls: [peerUrl] },
  });
  const { memberId, clusterId } = member.server;
  await using client = createClient({ endpoints: member.endpoint });
  const { member: added } = await client.raw.cluster.memberAdd({
    peerURLs: [`http://127.0.0.1:${portOfOther}`],
    isLearner: true,
  });
  const removed = added?.ID ?? 0n;
  await client.raw.cluster.memberRemove({ ID: removed });
  const ask = async (kind: "stream/msgapp" | "stream/message", from: bigint, cluster = clusterId): Promise<string> => {
    const response = await fetch(`${peerUrl}/raft/${kind}/${hex(from)}`, {
      headers: {
        "x-etcd-cluster-id": hex(cluster),
        "x-raft-to": hex(memberId),
        "x-server-from": hex(from),
        "x-server-version": "3.6.0",
        "x-min-cluster-version": "3.0.0",
      },
    });
    return `${response.status} ${(await response.text()).trim()}`;
  };
  for (const state of ["running", "restarted"]) {
    if (state === "restarted") await member.restart();
    for (const kind of ["stream/msgapp", "stream/message"] as const) {
      expect(await ask(kind, removed), state).toBe("410 removed member");
      expect(await ask(kind, stranger), state).toBe("404 error sender not found");
      expect(await ask(kind, removed, 0xbadn), state).toMatch(/^412 /);
    }
    for (const bytes of ["", "x", "\x08\x00", "\xff".repeat(1_000)]) {
      const body = Buffer.from(bytes, "latin1");
      const response = await fetch(`${peerUrl}/raft`, {
        method: "POST",
        body,
        headers: { "x-etcd-cluster-id": hex(clusterId), "x-server-version": "3.6.0", "x-min-cluster-version": "3.0.0" },
      });
      expect([204, 400, 500]).toContain(response.status);
    }
    await client.put("after", state);
  }
});
