/** @module What is wrong with a cluster, and what to do about it: conclusions from what was observed, nothing else. */
import type { MemberStatus } from "@conclave/client";
import type { Observation, ServerObservation } from "./observation.ts";

/** How bad it is: `fail` needs somebody now, `warn` some time, `ok` nobody. */
export type Severity = "ok" | "warn" | "fail";

/** What was found about one thing that was looked at. */
export interface Diagnosis {
  /** What was looked at: `health`, `leader`, `members`, `versions`, `alarms`, `quota`, `space`, `lag`, `data`, `certificates`. */
  readonly check: string;
  /** How bad it is. */
  readonly severity: Severity;
  /** What was found. */
  readonly finding: string;
  /** What to do; empty if nothing. */
  readonly advice: string;
}

type AnsweringServer = ServerObservation & { readonly status: MemberStatus };

const quotaWarnShare = 0.8;
const wasteWarnShare = 0.5;
/** Below this, free space is not worth a defragmentation. */
const wasteWarnBytes = 100 * 2 ** 20;
const lagWarnEntries = 5_000;
const dayMs = 86_400_000;
const certificateWarnMs = 30 * dayMs;

/** Looks at everything; what is worst comes first, and what is well is told in one line for each check. */
export function diagnose(observation: Observation): readonly Diagnosis[] {
  const found = checks.flatMap(([check, run]) => {
    const problems = run(observation).map((problem) => ({ check, ...problem }));
    return problems.length > 0 ? problems : [{ check, severity: "ok" as const, finding: wellness[check], advice: "" }];
  });
  const order: Readonly<Record<Severity, number>> = { fail: 0, warn: 1, ok: 2 };
  return [...found].sort((left, right) => order[left.severity] - order[right.severity]);
}

type Problem = Omit<Diagnosis, "check">;

const wellness = {
  health: "every server answers and commits",
  leader: "all members follow the same leader",
  members: "every member has started, and the cluster bears the loss of one",
  versions: "all members run the same version",
  alarms: "no alarm is on",
  quota: "no store is near its quota",
  space: "no store would shrink much by a defragmentation",
  lag: "every member has applied what is committed",
  data: "all members that can be compared hold the same history",
  certificates: "no certificate ends soon",
} as const;

const checks: readonly (readonly [check: keyof typeof wellness, run: (observation: Observation) => Problem[]])[] = [
  ["health", health],
  ["leader", leader],
  ["members", members],
  ["versions", versions],
  ["alarms", alarms],
  ["quota", quota],
  ["space", space],
  ["lag", lag],
  ["data", data],
  ["certificates", certificates],
];

function health({ servers }: Observation): Problem[] {
  return servers.flatMap(({ endpoint, status, error = "", serves }) => {
    if (status === undefined)
      return fail(
        `${endpoint} does not answer: ${error}`,
        "start the member, or see whether it can be reached from here",
      );
    if (!serves && !status.isLearner)
      return fail(`${endpoint} answers but commits nothing`, "see that it reaches most of the other members");
    return [];
  });
}

function leader(observation: Observation): Problem[] {
  const answering = answers(observation);
  const leaders = new Map<bigint, string[]>();
  for (const { endpoint, status } of answering)
    leaders.set(status.leader, [...(leaders.get(status.leader) ?? []), endpoint]);
  const without = leaders.get(0n) ?? [];
  leaders.delete(0n);
  const lost = without.flatMap((endpoint) =>
    fail(`${endpoint} knows no leader`, "see that most members run and reach each other on their peer URLs"),
  );
  if (leaders.size < 2) return lost;
  const views = [...leaders].map(([id, endpoints]) => `${id.toString(16)} (${endpoints.join(", ")})`).join("; ");
  return [
    ...lost,
    ...warn(`members follow different leaders: ${views}`, "ask again: if it stays so, the network is cut"),
  ];
}

function members({ members: all }: Observation): Problem[] {
  if (all === undefined) return fail("no server tells who the members are", "see the servers' logs");
  const problems = all
    .filter(({ name }) => name === "")
    .flatMap(({ ID, peerURLs }) =>
      warn(
        `member ${ID.toString(16)} (${peerURLs.join(", ")}) was added and never started`,
        "start it, or remove it: it counts for the majority",
      ),
    );
  const voters = all.filter(({ isLearner }) => !isLearner).length;
  if (voters === 1)
    problems.push(
      ...warn("the cluster has one member: its loss is the loss of the cluster", "add members, up to three"),
    );
  else if (voters % 2 === 0)
    problems.push(
      ...warn(`the cluster has ${voters} voting members, and bears no more losses than with ${voters - 1}`, "add one"),
    );
  for (const { ID } of all.filter(({ isLearner }) => isLearner))
    problems.push(
      ...warn(`member ${ID.toString(16)} is a learner and has no vote`, "promote it once it has caught up"),
    );
  return problems;
}

function versions(observation: Observation): Problem[] {
  const byVersion = new Map<string, string[]>();
  for (const { endpoint, status } of answers(observation))
    byVersion.set(status.version, [...(byVersion.get(status.version) ?? []), endpoint]);
  if (byVersion.size < 2) return [];
  const list = [...byVersion].map(([version, endpoints]) => `${version} (${endpoints.join(", ")})`).join("; ");
  return warn(
    `members run different versions: ${list}`,
    "finish the upgrade: nothing of the newer version counts before",
  );
}

function alarms({ alarms: active }: Observation): Problem[] {
  return active.flatMap(({ memberId, type }) => {
    const who = memberId === 0n ? "the cluster" : `member ${memberId.toString(16)}`;
    if (type === "NOSPACE")
      return fail(
        `the alarm NOSPACE is on for ${who}: no writes are taken`,
        "delete what is not needed, compact, defragment every member, then run alarm disarm; or raise --quota-backend-bytes",
      );
    return fail(
      `the alarm ${type} is on for ${who}: its data differs from the others'`,
      "remove that member, delete its data directory and add it anew, then run alarm disarm",
    );
  });
}

function quota(observation: Observation): Problem[] {
  return answers(observation).flatMap(({ endpoint, status }) => {
    const [size, limit] = [Number(status.dbSize), Number(status.dbSizeQuota)];
    if (limit === 0 || size < quotaWarnShare * limit) return [];
    const share = Math.floor((100 * size) / limit);
    return warn(
      `the store of ${endpoint} has ${share} % of its quota`,
      "compact and defragment, or raise --quota-backend-bytes, before writes are refused",
    );
  });
}

function space(observation: Observation): Problem[] {
  return answers(observation).flatMap(({ endpoint, status }) => {
    const [size, used] = [Number(status.dbSize), Number(status.dbSizeInUse)];
    if (size - used < wasteWarnBytes || used > wasteWarnShare * size) return [];
    return warn(`of the store of ${endpoint} only ${Math.floor((100 * used) / size)} % is in use`, "run defrag on it");
  });
}

function lag(observation: Observation): Problem[] {
  const answering = answers(observation);
  const newest = Math.max(...answering.map(({ status }) => Number(status.raftIndex)), 0);
  return answering.flatMap(({ endpoint, status }) => {
    const behind = newest - Number(status.raftAppliedIndex);
    if (behind < lagWarnEntries) return [];
    return warn(`${endpoint} is ${behind} entries behind`, "see whether its disk and network keep up");
  });
}

function data(observation: Observation): Problem[] {
  const byHistory = new Map<number, Map<number, string[]>>();
  for (const { endpoint, hash } of observation.servers) {
    if (hash === undefined) continue;
    const hashes = byHistory.get(hash.compactRevision) ?? new Map<number, string[]>();
    hashes.set(hash.hash, [...(hashes.get(hash.hash) ?? []), endpoint]);
    byHistory.set(hash.compactRevision, hashes);
  }
  return [...byHistory.values()].flatMap((hashes) => {
    if (hashes.size < 2) return [];
    const groups = [...hashes.values()].map((endpoints) => endpoints.join(", ")).join(" | ");
    return fail(
      `members hold different histories: ${groups}`,
      "stop writing; replace the members that are not with the majority: remove, delete the data, add anew",
    );
  });
}

function certificates({ servers, nowMs }: Observation): Problem[] {
  return servers.flatMap(({ endpoint, certificateEndsMs }) => {
    if (certificateEndsMs === undefined || certificateEndsMs - nowMs > certificateWarnMs) return [];
    const days = Math.floor((certificateEndsMs - nowMs) / dayMs);
    if (days < 0) return fail(`the certificate of ${endpoint} has expired`, "put a new one in its place");
    return warn(`the certificate of ${endpoint} ends in ${days} days`, "put a new one in its place");
  });
}

function answers({ servers }: Observation): readonly AnsweringServer[] {
  return servers.flatMap((server) => (server.status === undefined ? [] : [{ ...server, status: server.status }]));
}

function fail(finding: string, advice: string): Problem[] {
  return [{ severity: "fail", finding, advice }];
}

function warn(finding: string, advice: string): Problem[] {
  return [{ severity: "warn", finding, advice }];
}
