/** @module What the tests of clusters run on: Conclave, or for experiments with a test itself etcd. */
import { type Client, createClient } from "@conclave/client";
import type { ClusterMember, ClusterProcesses, MemberProgram } from "@conclave/testkit";

/** The members of the clusters under test; `CLUSTER_KIND=etcd` shows whether a test holds for etcd. */
export const program: MemberProgram =
  process.env.CLUSTER_KIND === "etcd" ? { kind: "etcd", flags: ["--pre-vote=true"] } : { kind: "conclave" };

/** How a member ends that is asked to. */
export const cleanExit: number | NodeJS.Signals = program.kind === "etcd" ? "SIGTERM" : 0;

/** With etcd's default. */
export const electionTimeoutMs = 1_000;

/** A client that knows some members. */
export function clientOf(...members: readonly ClusterMember[]): Client {
  return createClient({ endpoints: members.map(({ endpoint }) => endpoint) });
}

/** The members that do not lead. */
export function followersOf({ members }: ClusterProcesses, leader: ClusterMember): [ClusterMember, ClusterMember] {
  const [first, second] = members.filter((member) => member !== leader);
  if (first === undefined || second === undefined) throw new TypeError("a leader has two followers here");
  return [first, second];
}

/** The HashKV of each member at the newest revision of the first one, which must be the same. */
export async function hashesOf(members: readonly ClusterMember[]): Promise<readonly number[]> {
  await using client = clientOf(...members);
  const { revision } = await client.range("any");
  const hashes: number[] = [];
  for (const { endpoint } of members) {
    const ask = () => client.maintenance.hashKv({ endpoint, revision, timeoutMs: 5_000 });
    hashes.push((await eventually(ask)).hash);
  }
  return hashes;
}

/** Tries until it goes well: a member that follows is a moment behind. */
export async function eventually<Result>(
  attempt: () => Promise<Result>,
  { patienceMs = 15_000 }: { readonly patienceMs?: number } = {},
): Promise<Result> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
