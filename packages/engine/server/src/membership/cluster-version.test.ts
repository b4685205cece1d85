import { describe, expect, test } from "vitest";
import { silentLog } from "../log.ts";
import { labPeers } from "../testing/peer-lab.ts";
import { ClusterVersionMonitor, type ClusterVersionPorts, ownVersion } from "./cluster-version.ts";
import type { ClusterMember } from "./membership.ts";

function member(name: string): ClusterMember {
  return { id: BigInt(name.charCodeAt(0)), name, peerUrls: [`http://${name}:1`], clientUrls: [], isLearner: false };
}

/** A leader beside members that speak these versions; a member without one does not answer. */
function lab(servers: Readonly<Record<string, string | undefined>>, more: Partial<ClusterVersionPorts> = {}) {
  const proposed: string[] = [];
  let agreed: string | undefined;
  const answers = Object.entries(servers).map(([name, server]) => [
    `http://${name}:1`,
    server === undefined ? {} : { version: { server, cluster: "not_decided" } },
  ]);
  const monitor = new ClusterVersionMonitor({
    isLeader: () => true,
    others: () => Object.keys(servers).map(member),
    ownVersion: "3.6.0",
    agreed: () => agreed,
    downgradeTarget: () => undefined,
    endDowngrade: () => Promise.reject(new Error("there is none")),
    peers: labPeers(Object.fromEntries(answers)),
    propose: async (version) => {
      proposed.push(version);
      agreed = version;
    },
    log: silentLog,
    ...more,
  });
  return { monitor, proposed };
}

describe("ClusterVersionMonitor", () => {
  test.each([
    ["a member alone", {}, "3.6.0"],
    ["members of the same version", { b: "3.6.0", c: "3.6.4" }, "3.6.0"],
    ["an older member", { b: "3.6.0", c: "3.5.30" }, "3.5.0"],
    ["a newer member", { b: "3.7.1" }, "3.6.0"],
    ["a member that does not answer: the least version, so that there is one", { b: "3.6.0", c: undefined }, "3.0.0"],
    ["a member that does not speak sense", { b: "latest" }, "3.0.0"],
  ])("settles at what the oldest speaks, with %s", async (_, servers, version) => {
    const { monitor, proposed } = lab(servers);
    await monitor.check();
    await monitor.check();
    expect(proposed).toEqual([version]);
  });

  test("is raised when the last old member has gone", async () => {
    const servers: Record<string, string> = { b: "3.5.30" };
    let others = ["b"];
    const { monitor, proposed } = lab(servers, { others: () => others.map(member) });
    await monitor.check();
    others = [];
    await monitor.check();
    expect(proposed).toEqual(["3.5.0", "3.6.0"]);
  });

  test("is never lowered", async () => {
    const { monitor, proposed } = lab({ b: "3.5.30" }, { agreed: () => "3.6.0" });
    await monitor.check();
    expect(proposed).toEqual([]);
  });

  test.each([
    ["no member speaks the earlier version", { b: "3.6.0", c: "3.6.2" }, [], true],
    ["one of them does", { b: "3.6.0", c: "3.5.30" }, ["3.5.0"], true],
    ["one does not answer", { b: undefined, c: "3.5.30" }, ["3.5.0"], true],
    ["all of them do", { b: "3.5.0", c: "3.5.30" }, ["3.5.0"], false],
  ])("goes back in a downgrade when %s", async (_, servers, versions, goesOn) => {
    let target: string | undefined = "3.5.0";
    const { monitor, proposed } = lab(servers, {
      ownVersion: goesOn ? "3.6.0" : "3.5.0",
      agreed: () => "3.6.0",
      downgradeTarget: () => target,
      endDowngrade: async () => {
        target = undefined;
      },
    });
    await monitor.check();
    expect(proposed).toEqual(versions);
    expect(target !== undefined).toBe(goesOn);
  });

  test("stays as it is while a member does not answer", async () => {
    const { monitor, proposed } = lab({ b: undefined }, { agreed: () => "3.5.0" });
    await monitor.check();
    expect(proposed).toEqual([]);
  });

  test("is the leader's to propose, also if it changes while others are asked", async () => {
    let leads = false;
    const follower = lab({}, { isLeader: () => leads });
    await follower.monitor.check();
    expect(follower.proposed).toEqual([]);

    leads = true;
    const deposed = lab({ b: "3.6.0" }, { isLeader: () => leads });
    const checked = deposed.monitor.check();
    leads = false;
    await checked;
    expect(deposed.proposed).toEqual([]);
  });

  test("looks again after a look that failed", async () => {
    let failures = 1;
    const proposed: string[] = [];
    const propose = async (version: string): Promise<void> => {
      if (failures-- > 0) throw new Error("timed out");
      proposed.push(version);
    };
    const { monitor } = lab({}, { propose });
    await monitor.check();
    await monitor.check();
    expect(proposed).toEqual(["3.6.0"]);
  });

  test("does not look twice at once", async () => {
    const { monitor, proposed } = lab({ b: "3.6.0" });
    await Promise.all([monitor.check(), monitor.check()]);
    expect(proposed).toEqual(["3.6.0"]);
  });
});

test("ownVersion() is no more than the cluster may agree on", () => {
  expect(ownVersion({})).toBe("3.6.0");
  expect(ownVersion({ maxClusterVersion: "3.5.0" })).toBe("3.5.0");
});
