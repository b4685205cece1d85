import type { MemberStatus } from "@conclave/client";
import { Member, StatusResponse } from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { diagnose } from "./diagnosis.ts";
import type { Observation, ServerObservation } from "./observation.ts";

const gibibyte = 2 ** 30;
const nowMs = Date.parse("2030-01-01");

/** A member of a sound cluster, but for what is said. */
function server(endpoint: string, status: Partial<StatusResponse> = {}, more: Partial<ServerObservation> = {}) {
  const said = StatusResponse.fromPartial({
    version: "3.6.0",
    leader: 1n,
    dbSize: gibibyte,
    dbSizeInUse: gibibyte,
    dbSizeQuota: 8 * gibibyte,
    raftIndex: 100_000,
    raftAppliedIndex: 100_000,
    ...status,
  });
  const header = { clusterId: 9n, memberId: 1n, revision: 7, raftTerm: 2 };
  return { endpoint, status: { ...said, header } as MemberStatus, serves: true, ...more };
}

const member = (ID: bigint, more: Partial<Member> = {}): Member =>
  Member.fromPartial({ ID, name: `m${ID}`, peerURLs: [`http://m${ID}:2380`], ...more });
const sound: Observation = {
  servers: ["a", "b", "c"].map((endpoint) => server(endpoint)),
  members: [member(1n), member(2n), member(3n)],
  alarms: [],
  nowMs,
};

/** What is wrong, as `check severity`, and what to do about the worst. */
function wrong(observation: Partial<Observation>): { readonly found: string[]; readonly text: string } {
  const problems = diagnose({ ...sound, ...observation }).filter(({ severity }) => severity !== "ok");
  for (const { advice } of problems) expect(advice).not.toBe("");
  return {
    found: problems.map(({ check, severity }) => `${check} ${severity}`),
    text: problems.map(({ finding }) => finding).join("\n"),
  };
}
const withServers = (...servers: readonly ServerObservation[]) => wrong({ servers: [...servers, server("z")] });

test("a sound cluster is told to be so, check by check", () => {
  const diagnoses = diagnose(sound);
  expect(diagnoses.every(({ severity }) => severity === "ok")).toBe(true);
  expect(diagnoses.map(({ check }) => check)).toEqual([
    ...["health", "leader", "members", "versions", "alarms"],
    ...["quota", "space", "lag", "data", "certificates"],
  ]);
});

test("what is worst comes first", () => {
  const alarms = [{ memberId: 1n, type: "NOSPACE" }];
  const { found } = wrong({ alarms, members: [member(1n)] });
  expect(found).toEqual(["alarms fail", "members warn"]);
});

describe("finds", () => {
  test("a server that does not answer", () => {
    const { found, text } = withServers({ endpoint: "a", error: "connection refused", serves: false });
    expect(found).toEqual(["health fail"]);
    expect(text).toBe("a does not answer: connection refused");
  });

  test("a server that commits nothing, unless it is a learner", () => {
    expect(withServers(server("a", {}, { serves: false })).found).toEqual(["health fail"]);
    expect(withServers(server("a", { isLearner: true }, { serves: false })).found).toEqual([]);
  });

  test("a member without a leader, and members with different ones", () => {
    expect(withServers(server("a", { leader: 0n })).found).toEqual(["leader fail"]);
    expect(withServers(server("a", { leader: 2n })).found).toEqual(["leader warn"]);
  });

  test("members that never started, learners, an even number of voters, and one alone", () => {
    const three = [member(1n), member(2n), member(3n)];
    expect(wrong({ members: [member(1n), member(2n), member(3n, { name: "" })] }).found).toEqual(["members warn"]);
    expect(wrong({ members: [...three, member(4n, { isLearner: true })] }).found).toEqual(["members warn"]);
    expect(wrong({ members: [...three, member(4n)] }).text).toContain("4 voting members");
    expect(wrong({ members: [member(1n)] }).text).toContain("one member");
    expect(wrong({ members: undefined }).found).toEqual(["members fail"]);
  });

  test("an upgrade that is not finished", () => {
    expect(withServers(server("a", { version: "3.5.30" })).text).toBe(
      "members run different versions: 3.5.30 (a); 3.6.0 (z)",
    );
  });

  test("alarms, of a member and of the whole cluster", () => {
    const alarms = [
      { memberId: 1n, type: "NOSPACE" },
      { memberId: 0n, type: "CORRUPT" },
    ];
    const { found, text } = wrong({ alarms });
    expect(found).toEqual(["alarms fail", "alarms fail"]);
    expect(text).toContain("NOSPACE is on for member 1");
    expect(text).toContain("CORRUPT is on for the cluster");
  });

  test("a store that is nearly full, if it has a quota", () => {
    expect(withServers(server("a", { dbSize: 7 * gibibyte, dbSizeInUse: 7 * gibibyte })).text).toContain("87 %");
    expect(withServers(server("a", { dbSizeQuota: 0 })).found).toEqual([]);
  });

  test("a store that is mostly free, if it is large", () => {
    expect(withServers(server("a", { dbSizeInUse: gibibyte / 4 })).found).toEqual(["space warn"]);
    expect(withServers(server("a", { dbSize: 2 ** 20, dbSizeInUse: 2 ** 10 })).found).toEqual([]);
  });

  test("a member that is far behind", () => {
    expect(withServers(server("a", { raftAppliedIndex: 90_000 })).text).toBe("a is 10000 entries behind");
  });

  test("histories that differ, where they can be compared", () => {
    const hashed = (hash: number, compactRevision = 5) => ({ hash: { hash, compactRevision } });
    expect(withServers(server("a", {}, hashed(1)), server("b", {}, hashed(2))).found).toEqual(["data fail"]);
    expect(withServers(server("a", {}, hashed(1)), server("b", {}, hashed(2, 6))).found).toEqual([]);
  });

  test("certificates that have ended or will soon", () => {
    const ending = (days: number) => server("a", {}, { certificateEndsMs: nowMs + days * 86_400_000 });
    expect(withServers(ending(-1)).found).toEqual(["certificates fail"]);
    expect(withServers(ending(10)).text).toContain("ends in 10 days");
    expect(withServers(ending(90)).found).toEqual([]);
  });
});
