import type { PeerMember } from "@conclave/peer";
import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { silentLog } from "../log.ts";
import { type LabPeer, labPeers } from "../testing/peer-lab.ts";
import { findCluster, isBootstrapped, type JoinOptions } from "./join.ts";

function member(id: bigint, url: string, more: Partial<PeerMember> = {}): PeerMember {
  return { id, name: "", peerUrls: [url], clientUrls: [], isLearner: false, ...more };
}

const members = [member(1n, "http://a:1", { name: "a" }), member(2n, "http://b:1"), member(3n, "http://c:1")];
const version = { server: "3.6.0", cluster: "3.6.0" };
const initialMembers = ["a", "b", "c"].map((name) => ({ name, peerUrls: [`http://${name}:1`] }));

function options(peersByUrl: Readonly<Record<string, LabPeer>>, more: Partial<JoinOptions> = {}): JoinOptions {
  const resolver = { scheduler: virtualTime(), resolveHost: async (host: string) => host };
  return { name: "c", initialMembers, peers: labPeers(peersByUrl), resolver, log: silentLog, ...more };
}

describe("findCluster()", () => {
  test("takes the ids of the member with this one's peer URLs and of the cluster", async () => {
    const peers = { "http://a:1": { clusterId: 9n, members, version }, "http://b:1": { version } };
    expect(await findCluster(options(peers))).toEqual({ memberId: 3n, clusterId: 9n, members });
  });

  test("asks the others one after another and never itself", async () => {
    const peers = labPeers({ "http://b:1": { members, version }, "http://a:1": { version } });
    await findCluster(options({}, { peers }));
    expect(peers.asked.slice(0, 2)).toEqual(["http://a:1", "http://b:1"]);
    expect(peers.asked).not.toContain("http://c:1");
  });

  test("takes no id that a member had which has run before: who names it has not heard of its removal", async () => {
    const former = [...members.slice(0, 2), member(9n, "http://c:1", { name: "c" })];
    const peers = { "http://a:1": { members: former, version }, "http://b:1": { members, version } };
    expect((await findCluster(options(peers))).memberId).toBe(3n);
  });

  test("refuses to be a member that has run before, as its data is not here", async () => {
    const former = [...members.slice(0, 2), member(9n, "http://c:1", { name: "c" })];
    await expect(findCluster(options({ "http://a:1": { members: former, version } }))).rejects.toMatchObject({
      code: "JOIN",
      message:
        "Cannot join the cluster as its member 9 with these peer URLs has run before and its data is not here: remove it from the cluster and add it again",
    });
  });

  test("says who did not answer if nobody does", async () => {
    await expect(findCluster(options({}))).rejects.toMatchObject({
      code: "JOIN",
      message:
        "Cannot join the cluster as none of its members can be asked: http://a:1 (nobody at http://a:1), http://b:1 (nobody at http://b:1)",
    });
  });

  test("says so if there is nobody to ask", async () => {
    const alone = options({}, { initialMembers: initialMembers.slice(2) });
    await expect(findCluster(alone)).rejects.toThrow("--initial-cluster names nobody else");
  });

  test("refuses a cluster with another number of members", async () => {
    const peers = { "http://a:1": { members: members.slice(0, 2), version } };
    await expect(findCluster(options(peers))).rejects.toMatchObject({
      code: "JOIN",
      message:
        "Cannot join the cluster as --initial-cluster has 3 members (a=http://a:1,b=http://b:1,c=http://c:1) and the cluster has 2 (a=http://a:1,=http://b:1)",
    });
  });

  test("refuses a cluster with a member that it was not told of", async () => {
    const others = [...members.slice(0, 2), member(4n, "http://d:1")];
    await expect(findCluster(options({ "http://a:1": { members: others, version } }))).rejects.toThrow(
      "has no member with the peer URLs http://d:1 of its member 4",
    );
  });

  test.each([
    ["3.7.0", "it speaks version 3.7.0 and this member 3.0.0 to 3.6.0"],
    ["2.3.0", "it speaks version 2.3.0 and this member 3.0.0 to 3.6.0"],
    ["not_decided", "none of its members knows the cluster's version yet"],
  ])("refuses a cluster of version %s", async (cluster, reason) => {
    const peers = { "http://a:1": { members, version: { server: "3.6.0", cluster } } };
    await expect(findCluster(options(peers))).rejects.toThrow(`Cannot join the cluster as ${reason}`);
  });

  test("joins a cluster of an older version, also if one member is away or has not heard of a version", async () => {
    const peers = {
      "http://a:1": { members, version: { server: "3.5.30", cluster: "3.5.0" } },
      "http://b:1": { version: { server: "3.5.30", cluster: "not_decided" } },
    };
    expect((await findCluster(options(peers))).memberId).toBe(3n);
  });
});

describe("isBootstrapped()", () => {
  test("is true once the others know this member's client URLs: it has run before", async () => {
    const started = [...members.slice(0, 2), member(3n, "http://c:1", { clientUrls: ["http://c:2"] })];
    expect(await isBootstrapped(options({ "http://b:1": { members: started } }), 3n)).toBe(true);
    expect(await isBootstrapped(options({ "http://b:1": { members } }), 3n)).toBe(false);
    expect(await isBootstrapped(options({ "http://b:1": { members: started } }), 7n)).toBe(false);
    expect(await isBootstrapped(options({}), 3n)).toBe(false);
  });
});
