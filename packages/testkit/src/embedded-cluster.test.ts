import { existsSync } from "node:fs";
import { createClient } from "@conclave/client";
import { expect, test } from "vitest";
import { type EmbeddedCluster, startEmbeddedCluster } from "./embedded-cluster.ts";

async function useCluster(cluster: EmbeddedCluster): Promise<void> {
  await using client = createClient({ endpoints: cluster.endpoints });
  await client.put("key", "value");
  const leader = await cluster.waitForLeader();
  await leader.stop();
  expect(leader.server).toBeUndefined();
  expect(await cluster.waitForLeader()).not.toBe(leader);
  await client.put("key", "still served");
  await leader.start();
  await using back = createClient({ endpoints: [leader.endpoint] });
  expect(await back.getString("key")).toBe("still served");
}

test("startEmbeddedCluster() serves though a member is stopped, and leaves nothing behind", async () => {
  let dataDirs: readonly string[];
  {
    await using cluster = await startEmbeddedCluster({ config: { heartbeatInterval: 50, electionTimeout: 500 } });
    dataDirs = cluster.members.map(({ dataDir }) => dataDir);
    await useCluster(cluster);
  }
  expect(dataDirs.filter((dataDir) => existsSync(dataDir))).toEqual([]);
}, 60_000);
