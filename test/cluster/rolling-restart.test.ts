/** @module Members that are replaced one after the other under load: by themselves, and by a newer build. */
import { join } from "node:path";
import { type ClusterProcesses, startCluster } from "@conclave/testkit";
import { expect, test } from "vitest";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { IdempotentCalls } from "./idempotent-calls.ts";
import { buildPrevious, previousAbsence } from "./previous-build.ts";
import { cleanExit, clientOf, hashesOf, program } from "./subject.ts";

/** Stops and starts one member after the other under load. @returns how many calls there were, none of which failed */
async function roll(cluster: ClusterProcesses, restart: { readonly binary?: string } = {}): Promise<number> {
  await using workload = new KvWorkload({ endpoints: cluster.endpoints, clients: 3 });
  await using calls = new IdempotentCalls(cluster.endpoints, 3);
  for (const member of cluster.members) {
    await workload.serves();
    workload.nextRound();
    await member.stop();
    expect(member.exit, member.log).toBe(cleanExit);
    await member.restart(restart);
    await cluster.waitForLeader({ among: cluster.members });
  }
  await workload.serves();
  await calls.end();
  expect(calls.failures).toEqual([]);
  expect(calls.succeeded).toBeGreaterThan(100);
  await workload.verify();
  const hashes = await hashesOf(cluster.members);
  expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
  return calls.succeeded;
}

test("a rolling restart under load fails no call that may be repeated, and loses nothing", async ({ annotate }) => {
  await using cluster = await startCluster(program);
  await cluster.waitForLeader({ among: cluster.members });
  await annotate(`${await roll(cluster)} calls, none failed`);
});

const binary = join(import.meta.dirname, "..", "..", "bin", "conclave");
const absent = program.kind === "etcd" ? "Conclave only" : previousAbsence();

test.skipIf(absent)(`so does an upgrade from the build of the commit before ${absent ?? ""}`, async ({ annotate }) => {
  await using previous = await buildPrevious();
  await using cluster = await startCluster({ ...program, binary: previous.binary });
  await cluster.waitForLeader({ among: cluster.members });
  await using client = clientOf(...cluster.members);
  const { id } = await client.lease.grant({ ttlSec: 600 });
  await client.put("before/overwritten", "old");
  const { revision } = await client.put("before/overwritten", "new", { lease: id });
  await client.compact(revision - 1, { physical: true });
  await annotate(`${await roll(cluster, { binary })} calls, none failed`);
  expect((await client.get("before/overwritten", { revision }))?.valueString).toBe("new");
  expect((await client.lease.timeToLive(id, { keys: true })).keys).toHaveLength(1);
});
