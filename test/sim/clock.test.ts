/** @module Clocks that are wrong: those of the wall are for people and ids, and nothing that counts follows them. */
import { createLock } from "@conclave/lock";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const hourMs = 3_600_000;

function termOf(cluster: SimulatedCluster, name: string): number | undefined {
  return cluster.machines.get(name)?.member?.raftStatus.term;
}

describe.each([
  { direction: "forward", stepMs: hourMs },
  { direction: "back", stepMs: -hourMs },
])("a clock that steps an hour $direction", ({ stepMs }) => {
  test.each(["leader", "follower", "client"])("at the %s ends no lease and starts no election", async (who) => {
    const cluster = new SimulatedCluster({ seed: 7, settings: { electionTimeoutMs: 1000 } });
    await cluster.run(async () => {
      await cluster.start();
      const leader = await cluster.waitForLeader();
      const term = termOf(cluster, leader);
      const { client, name } = cluster.client();
      const lock = await createLock(client, "lock", { ttlSec: 5 }).acquire();
      const lease = await client.lease.grant({ ttlSec: 60 });
      await client.put("leased", "value", { lease: lease.id });

      const follower = [...cluster.machines.keys()].find((each) => each !== leader) as string;
      cluster.jumpWall({ leader, follower, client: name }[who] as string, stepMs);
      await cluster.sleep(20_000);

      expect(lock.held).toBe(true);
      expect((await client.get("leased"))?.value).toBeDefined();
      const left = (await client.lease.timeToLive(lease.id)).ttlSec;
      expect(left).toBeGreaterThanOrEqual(38);
      expect(left).toBeLessThanOrEqual(41);
      expect(await cluster.waitForLeader()).toBe(leader);
      expect(termOf(cluster, leader)).toBe(term);
      await lock.release();
    });
  });

  test("while the member is down lets it come back with all it had, and its requests are told from earlier ones", async () => {
    const cluster = new SimulatedCluster({ seed: 8 });
    await cluster.run(async () => {
      await cluster.start();
      const { client } = cluster.client();
      for (let at = 0; at < 20; at++) await client.put(`key/${at}`, String(at));
      const leader = await cluster.waitForLeader();
      cluster.crash(leader, "keep");
      cluster.jumpWall(leader, stepMs);
      await cluster.restart(leader);
      for (let at = 20; at < 40; at++) await client.put(`key/${at}`, String(at));
      for (let at = 0; at < 40; at++) expect((await client.get(`key/${at}`))?.value).toBeDefined();
    });
  });
});
