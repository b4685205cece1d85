/** @module Stores give their space back while reads, writes and watches of the same member go on. */
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { runConclavectl } from "@conclave/cli";
import { type Client, prefix } from "@conclave/client";
import { type ClusterMember, type ClusterProcesses, startCluster } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Activities } from "./activities.ts";
import { clientOf, program } from "./subject.ts";

const large = { keys: 160, value: new Uint8Array(256 * 1024).fill(7) } as const;
/** A defragmentation may be over before anything could be done beside it; then there is another one. */
const runsMax = 60;

let cluster: ClusterProcesses;
beforeAll(async () => {
  cluster = await startCluster(program);
  await using client = clientOf(...cluster.members);
  // All that is written first, and half of what comes then, is to be reclaimed.
  for (let round = 0; round < 2; round++)
    for (let at = 0; at < large.keys; at++) await client.put(`large/${at}`, large.value, { idempotent: true });
  const { revision } = await client.delete(prefix("large/1"), { idempotent: true });
  await client.compact(revision, { physical: true });
}, 120_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** A member's own client, and all that is done by it meanwhile. */
async function activitiesAt(member: ClusterMember) {
  const client = clientOf(member);
  const key = (kind: string): string => `${kind}/${member.name}`;
  const watcher = client.watch(key("watched"));
  await watcher.ready();
  const told = watcher[Symbol.asyncIterator]();
  const counts = { written: 0, watched: 0 };
  await client.put(key("written"), "0");
  const write = async (): Promise<void> => {
    await client.put(key("written"), String(counts.written + 1), { idempotent: true });
    counts.written++;
  };
  const readLinearizable = async (): Promise<void> => {
    const least = counts.written;
    expect(Number(await client.getString(key("written")))).toBeGreaterThanOrEqual(least);
  };
  const readSerializable = async (): Promise<void> => {
    const read = await client.get("large/2", { serializable: true, monotonic: false });
    expect(read?.value.length).toBe(large.value.length);
  };
  const readMuch = async (): Promise<void> => {
    const { kvs } = await client.range(prefix("large/"), { limit: 16 });
    expect(kvs.map(({ value }) => value.length)).toEqual(Array(16).fill(large.value.length));
  };
  const watch = async (): Promise<void> => {
    const value = String(++counts.watched);
    await client.put(key("watched"), value);
    const { value: batch } = await told.next();
    expect(batch?.events.map(({ kv }) => kv.valueString)).toEqual([value]);
  };
  const at = (work: Readonly<Record<string, () => Promise<void>>>) =>
    Object.fromEntries(Object.entries(work).map(([name, once]) => [`${name} at ${member.name}`, once]));
  const activities = new Activities({
    within: at({ write, readLinearizable, readSerializable, watch }),
    across: at({ readMuch }),
  });
  return { client, activities };
}

/** Tells activities of a phase from when the member says that it defragments until it is told to stop. */
async function watchFor(member: ClusterMember, activities: Activities, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const metrics = await (await fetch(`${member.url}/metrics`)).text();
    if (!signal.aborted && metrics.includes("\netcd_disk_defrag_inflight 1\n")) activities.beginPhase();
    await sleep(1);
  }
}

async function defragmentOne(member: ClusterMember, activities: Activities, defragment: () => Promise<unknown>) {
  const ended = new AbortController();
  const watching = watchFor(member, activities, ended.signal);
  try {
    await defragment();
  } finally {
    activities.endPhase();
    ended.abort();
    await watching;
  }
}

const sizeOf = async (client: Client, { endpoint }: ClusterMember): Promise<number> =>
  Number((await client.maintenance.status({ endpoint })).dbSize);

describe.skipIf(program.kind === "etcd")("while a store is defragmented", () => {
  test("its member serves reads of both kinds, long ones, writes and watches", async () => {
    const leader = await cluster.waitForLeader({ among: cluster.members });
    const { client, activities } = await activitiesAt(leader);
    await using _closed = client;
    await using _stopped = activities;
    const before = await sizeOf(client, leader);
    for (let run = 0; run < runsMax && activities.waiting.length > 0; run++)
      await defragmentOne(leader, activities, () => client.maintenance.defragment());
    await activities.stop();
    expect(activities.waiting).toEqual([]);
    expect(await sizeOf(client, leader)).toBeLessThan(before * 0.7);
  });

  test("by conclavectl defrag --cluster, each member serves the same in its turn", async () => {
    const loads = await Promise.all(
      cluster.members.map(async (member) => ({ member, ...(await activitiesAt(member)) })),
    );
    const waiting = () => loads.flatMap(({ activities }) => activities.waiting);
    const expected = cluster.members.map(({ url }) => `Finished defragmenting etcd member[${url}]\n`);
    for (let count = 0; count < runsMax && waiting().length > 0; count++)
      expect((await defragmentAll(loads)).toSorted()).toEqual(expected.toSorted());
    for (const { activities } of loads) await activities.stop();
    expect(waiting()).toEqual([]);
    for (const { client } of loads) await client.close();
  });
});

/** Runs the command; returns what it printed, a line for each member, which says whose turn is over. */
async function defragmentAll(
  loads: readonly { readonly member: ClusterMember; readonly activities: Activities }[],
): Promise<readonly string[]> {
  const printed: string[] = [];
  const ended = new AbortController();
  const watching = loads.map(({ member, activities }) => watchFor(member, activities, ended.signal));
  const print = (text: string): void => {
    printed.push(text);
    for (const { member, activities } of loads) if (text.includes(member.endpoint)) activities.endPhase();
  };
  const exit = await runConclavectl({
    args: [`--endpoints=${loads[0]?.member.endpoint}`, "--command-timeout=60s", "defrag", "--cluster"],
    env: {},
    stdin: Readable.from([]),
    out: (text) => print(String(text)),
    err: print,
    interruption: () => new AbortController().signal,
  });
  ended.abort();
  await Promise.all(watching);
  for (const { activities } of loads) activities.endPhase();
  expect(exit, printed.join("")).toBe(0);
  return printed;
}
