import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.ts";
import { OwnershipWorkload } from "./ownership-workload.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

/** Lets a client that renews late keep its key for a while. @returns what must not have been */
async function keepLate(meddle: (cluster: SimulatedCluster) => Promise<void>): Promise<readonly string[]> {
  const violations: string[] = [];
  const cluster = new SimulatedCluster({ seed: 1 });
  await cluster.run(async () => {
    await cluster.start();
    const workload = new OwnershipWorkload({
      cluster,
      random: seededRandom(1),
      contenders: 0,
      keepers: 0,
      lateKeepers: 1,
      onViolation: (message) => void violations.push(message),
    });
    const work = workload.run();
    await meddle(cluster);
    workload.stop();
    await work;
    expect(workload.keptLooks).toBeGreaterThan(0);
  });
  return violations;
}

describe("OwnershipWorkload with late keepers", () => {
  it("finds nothing wrong where all is well", async () => {
    expect(await keepLate((cluster) => cluster.sleep(30_000))).toEqual([]);
  });

  it("finds a key that is gone although the renewal of its lease was acknowledged", async () => {
    const violations = await keepLate(async (cluster) => {
      const { client } = cluster.client();
      for (let second = 0; second < 20; second++) {
        await cluster.sleep(1_000);
        for (const lease of await client.lease.list()) await client.lease.revoke(lease).catch(() => {});
      }
    });
    expect(violations[0]).toMatch(/lease\/\d+ is gone although a renewal/);
  });
});
