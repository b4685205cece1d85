/** @module T12: an event loop was blocked past the end of the lease, and its program looks before any timer has run. */
import { createLock } from "@conclave/lock";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { acquireNaively } from "./naive/queue-lock.ts";

const ttlSec = 4;

describe("T12: the first look after a stall", () => {
  test.each([
    { stall: 0.5, isHeld: true },
    { stall: 1, isHeld: false },
    { stall: 2, isHeld: false },
    { stall: 5, isHeld: false },
  ])("of $stall times the time to live tells that the lock is held: $isHeld", async ({ stall, isHeld }) => {
    const cluster = new SimulatedCluster({ seed: 12, members: 1 });
    await cluster.run(async () => {
      await cluster.start();
      const { client, name } = cluster.client();
      const ours = await createLock(client, "ours", { ttlSec }).acquire();
      const naive = await acquireNaively(client, "naive", { ttlSec });
      cluster.pause(name);
      await cluster.sleep(stall * ttlSec * 1_000);

      expect(ours.signal.aborted).toBe(false);
      expect(ours.held).toBe(isHeld);
      expect(ours.remainingMs > 0).toBe(isHeld);
      if (!isHeld) expect(() => ours.assertHeld()).toThrow(expect.objectContaining({ code: "SESSION_LOST" }));
      // The naive lock waits for a timer to tell it.
      expect(naive.held).toBe(true);

      cluster.resume(name);
      await cluster.sleep(10);
      expect(ours.signal.aborted).toBe(!isHeld);
      if (!isHeld) expect(ours.signal.reason).toMatchObject({ code: "SESSION_LOST" });
      expect(ours.held).toBe(isHeld);
    });
  });
});
