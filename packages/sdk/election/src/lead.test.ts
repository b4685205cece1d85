/** @module Leading on virtual time: what becomes of tasks that do not end, and of candidates that cannot stand. */
import { ConclaveError } from "@conclave/client";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { createElection } from "./election.ts";

async function withCluster(scenario: (cluster: SimulatedCluster) => Promise<void>): Promise<void> {
  const cluster = new SimulatedCluster({ seed: 1, members: 1 });
  await cluster.run(async () => {
    await cluster.start();
    await scenario(cluster);
  });
}

const name = "election";

describe("lead()", { timeout: 60_000 }, () => {
  test("gives leadership up when a task does not end in time, and waits for it before it ends or stands again", () =>
    withCluster(async (cluster) => {
      const [slow, next] = [cluster.client(), cluster.client()];
      const stop = new AbortController();
      const order: string[] = [];
      const leading = createElection(slow.client, name).lead(
        async () => {
          order.push("slow leads");
          await slow.time.sleep(60_000);
          order.push("slow ends");
        },
        { signal: stop.signal, drainMs: 5_000, drain: async () => void order.push("slow drains") },
      );
      while (order.length === 0) await cluster.sleep(10);
      const toldAtMs = cluster.time.monotonicMs();
      stop.abort();
      const leadership = await createElection(next.client, name).campaign("next");
      order.push("next leads");
      // Its drain took its 5 s and no more, though the lease would have lived for 15 s.
      expect(cluster.time.monotonicMs() - toldAtMs).toBeGreaterThanOrEqual(4_990);
      expect(cluster.time.monotonicMs() - toldAtMs).toBeLessThan(6_000);
      await leading;
      expect(order).toEqual(["slow leads", "next leads", "slow ends"]);
      await leadership.resign();
    }));

  test("tells a leader that is cut off to end before its lease can, and stands again when it can", () =>
    withCluster(async (cluster) => {
      const { client, name: machine } = cluster.client();
      const observer = cluster.client();
      const election = createElection(client, name, { ttlSec: 5 });
      const failures: string[] = [];
      election.on("campaignFailed", ({ code }) => failures.push(code));
      const reasons: unknown[] = [];
      const fences: number[] = [];
      const stop = new AbortController();
      const leading = election.lead(
        async ({ fence, ended }) => {
          fences.push(fence);
          reasons.push((await ended).code);
        },
        { signal: stop.signal },
      );
      while (fences.length === 0) await cluster.sleep(10);
      cluster.isolate(machine);
      while (reasons.length === 0) await cluster.sleep(10);
      // Nobody else could lead yet: the key is still there.
      expect(await createElection(observer.client, name).leader()).toMatchObject({ fence: fences[0] });
      await cluster.sleep(30_000);
      expect(failures).not.toEqual([]);
      cluster.heal();
      while (fences.length === 1) await cluster.sleep(10);
      stop.abort();
      await leading;
      expect(reasons).toEqual(["SESSION_LOST", "ABORTED"]);
      expect(fences[1]).toBeGreaterThan(fences[0] ?? 0);
    }));

  test("tells of what a task throws after it was told to end, but not of the abort itself", () =>
    withCluster(async (cluster) => {
      const election = createElection(cluster.client().client, name);
      const told: unknown[] = [];
      election.on("taskFailed", (error) => told.push(error));
      const leadOnce = async (fail: (reason: unknown) => unknown) => {
        const stop = new AbortController();
        await election.lead(
          async ({ signal, ended }) => {
            stop.abort();
            await ended;
            throw fail(signal.reason);
          },
          { signal: stop.signal },
        );
      };
      await leadOnce((reason) => reason);
      await leadOnce(() => new ConclaveError("ABORTED", "a call was aborted"));
      expect(told).toEqual([]);
      const failure = new Error("could not close the file");
      await leadOnce(() => failure);
      expect(told).toEqual([failure]);
    }));

  test("rejects at once where standing again would not help", () =>
    withCluster(async (cluster) => {
      const { client } = cluster.client();
      const closed = createElection(client, name);
      await client.close();
      await expect(closed.lead(async () => {})).rejects.toMatchObject({ code: "CLOSED" });
      await expect(closed.lead(async () => {}, { priority: 0.5 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await expect(closed.campaign("", { waitMs: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }));
});
