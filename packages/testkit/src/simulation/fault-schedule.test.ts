import type { Message } from "@conclave/raft";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.ts";
import { FaultSchedule } from "./fault-schedule.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

describe("FaultSchedule", () => {
  it("contests elections: voters lose their power as soon as they have voted, and are back", async () => {
    const onSend = (message: Message): void => {
      const voter = [...cluster.machines.values()].find(({ member }) => member?.id === message.from);
      faults.onMessage(message);
      if (message.type !== "MsgVoteResp" || message.reject || message.from === message.to) return;
      cluster.time.after(1, () => void fates.push(voter?.state));
    };
    const fates: unknown[] = [];
    const cluster: SimulatedCluster = new SimulatedCluster({ seed: 1, members: 5, network: { onSend } });
    const faults = new FaultSchedule({ cluster, random: seededRandom(1), weights: { contestedElection: 1 } });
    await cluster.run(async () => {
      await cluster.start();
      const run = faults.run();
      await cluster.sleep(30_000);
      await faults.repair();
      await run;
      await cluster.waitForLeader();
    });
    expect(faults.counts.contestedElection).toBeGreaterThan(0);
    expect(new Set(fates)).toEqual(new Set(["running", "starting"]));
    expect([...cluster.machines.values()].map(({ state }) => state)).toEqual(Array(5).fill("running"));
    expect(cluster.failures).toEqual([]);
  });
});
