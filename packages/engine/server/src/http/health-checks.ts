/** @module What `/health`, `/livez` and `/readyz` look at, and how they tell of it; names and texts are etcd's. */
import { AlarmType } from "@conclave/protocol/etcdserverpb";
import type { Member } from "../member.ts";
import { type Answer, text } from "./http-answer.ts";

/** The names of the checks. */
export const checkNames = ["data_corruption", "serializable_read", "linearizable_read", "non_learner"] as const;

/** The name of a check. */
export type CheckName = (typeof checkNames)[number];

/** The probes, and the checks that each is made of. */
export const probes: Readonly<Record<Probe, readonly CheckName[]>> = {
  livez: ["serializable_read"],
  readyz: checkNames,
};

/** A question of an orchestrator: is the process to be restarted, is it to be sent requests. */
export type Probe = "livez" | "readyz";

/** How often a check came out how. */
export interface CheckCounts {
  succeeded: number;
  failed: number;
  /** How it came out last. */
  ok: boolean;
}

/** Runs checks and counts how they come out; for metrics, read when asked. */
export class HealthChecks {
  readonly #member: Member;
  /** Of `/health`. */
  readonly health: Omit<CheckCounts, "ok"> = { succeeded: 0, failed: 0 };
  /** Of each check that has run, by probe. */
  readonly counts: Readonly<Record<Probe, Map<CheckName, CheckCounts>>> = { livez: new Map(), readyz: new Map() };

  constructor(member: Member) {
    this.#member = member;
  }

  /** Runs a check; gives the reason it failed for, or undefined. */
  async run(probe: Probe, name: CheckName): Promise<string | undefined> {
    const reason = await this.#reasonAgainst(name);
    const counts = this.counts[probe].get(name) ?? { succeeded: 0, failed: 0, ok: true };
    this.counts[probe].set(name, counts);
    counts.ok = reason === undefined;
    if (counts.ok) counts.succeeded++;
    else counts.failed++;
    return reason;
  }

  /**
   * Whether the member serves.
   *
   * @param excluded - alarms that do not count
   * @param serializable - whether it is enough that this member answers, whatever has become of the others
   * @returns why it does not; empty if it does
   */
  async unhealthyReason(excluded: ReadonlySet<string>, serializable: boolean): Promise<string> {
    const reason = await this.#unhealthyReason(excluded, serializable);
    if (reason === "") this.health.succeeded++;
    else this.health.failed++;
    return reason;
  }

  async #unhealthyReason(excluded: ReadonlySet<string>, serializable: boolean): Promise<string> {
    const { alarms, leader } = this.#member;
    const alarm = (["NOSPACE", "CORRUPT"] as const).find(
      (name) => !excluded.has(name) && alarms.isActive(AlarmType[name]),
    );
    if (alarm !== undefined) return `ALARM ${alarm}`;
    if (serializable) return "";
    if (leader === 0n) return "RAFT NO LEADER";
    const failure = await this.#reasonAgainst("linearizable_read");
    return failure === undefined ? "" : `QGET ERROR:${failure}`;
  }

  async #reasonAgainst(name: CheckName): Promise<string | undefined> {
    const { alarms, membership, id } = this.#member;
    switch (name) {
      case "data_corruption":
        return alarms.isActive(AlarmType.CORRUPT) ? "alarm activated: CORRUPT" : undefined;
      case "serializable_read":
        return failureOf(this.#member.readable({ serializable: true }));
      case "linearizable_read":
        return failureOf(this.#member.linearizable());
      case "non_learner":
        return membership.member(id)?.isLearner === true ? "the member is a learner" : undefined;
    }
  }
}

async function failureOf(work: Promise<void> | undefined): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Answers `/health`. */
export async function health(checks: HealthChecks, query: URLSearchParams): Promise<Answer> {
  const reason = await checks.unhealthyReason(new Set(query.getAll("exclude")), query.get("serializable") === "true");
  const body = (healthy: boolean): string => JSON.stringify({ health: String(healthy), reason });
  return reason === "" ? text(200, body(true)) : text(503, `${body(false)}\n`);
}

async function probe(
  run: (name: CheckName) => Promise<string | undefined>,
  names: readonly CheckName[],
  query: URLSearchParams,
): Promise<Answer> {
  const excluded = new Set(query.getAll("exclude"));
  const lines: string[] = [];
  let failed = false;
  for (const name of names.filter((candidate) => !excluded.has(candidate))) {
    const reason = await run(name);
    lines.push(reason === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${reason}\n`);
    failed ||= reason !== undefined;
  }
  if (failed) return text(503, lines.join(""));
  return text(200, query.has("verbose") ? `${lines.join("")}ok\n` : "ok\n");
}

/** The paths of the probes and of each of their checks, and what answers them. */
export function healthRoutes(
  checks: HealthChecks,
): readonly (readonly [path: string, answer: (query: URLSearchParams) => Promise<Answer>])[] {
  return (Object.entries(probes) as [Probe, readonly CheckName[]][]).flatMap(([name, all]) => {
    const run = (check: CheckName): Promise<string | undefined> => checks.run(name, check);
    return [
      [`/${name}`, (query: URLSearchParams) => probe(run, all, query)] as const,
      ...all.map((check) => [`/${name}/${check}`, (query: URLSearchParams) => probe(run, [check], query)] as const),
    ];
  });
}
