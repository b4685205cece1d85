import { SimulatedMember, type SimulatedMemberOptions, type SyncCall, withoutSync } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { CrashHistory, hashKv, LostWrite, liveKeys } from "./crash-history.ts";

const given = process.env.SEED;
const seeds = given === undefined ? Array.from({ length: 12 }, (_, at) => at + 1) : [Number(given)];
const crashesPerSeed = 4;
/** Segments that fill up, so that crashes fall into the change from one to the next. */
const walSegmentBytes = 2048;
/** A disk that takes its time, so that crashes fall between a write and its sync. */
const latencyMs: NonNullable<SimulatedMemberOptions["latencyMs"]> = (call) => (call === "sync" ? 3 : 1);

/** Crashes a member again and again; throws LostWrite as soon as anything acknowledged is gone. */
async function survive(options: SimulatedMemberOptions): Promise<CrashHistory> {
  const simulated = new SimulatedMember({ latencyMs, ...options, settings: { walSegmentBytes, ...options.settings } });
  await simulated.start();
  const history = new CrashHistory(simulated);
  for (let crash = 0; crash < crashesPerSeed; crash++) {
    await history.runUntilCrash(20 + simulated.time.random.below(400));
    await simulated.start();
    await history.check();
  }
  await simulated.stop();
  return history;
}

describe("a member whose disk drops or tears what was not synced", () => {
  test.each(seeds)("keeps every acknowledged write, lease and compaction (SEED=%d)", async (seed) => {
    const history = await survive({ seed });
    expect(history.acknowledged).toBeGreaterThan(50);
  });

  test.each(seeds.slice(0, 6))("does so while snapshots let go of the log (SEED=%d)", async (seed) => {
    const settings = { snapshotCount: 20, backendBatchIntervalMs: 15 };
    const history = await survive({ seed, settings });
    expect(history.acknowledged).toBeGreaterThan(50);
  });

  test.each(seeds.slice(0, 6))("replays its log to the same store (SEED=%d)", async (seed) => {
    const simulated = new SimulatedMember({ seed, latencyMs });
    await simulated.start();
    const history = new CrashHistory(simulated);
    await history.runUntilCrash(500);
    await simulated.start();
    const expected = { hash: hashKv(simulated.member), keys: liveKeys(simulated.member) };
    await simulated.stop();
    const copy = await simulated.replayedCopy();
    expect({ hash: hashKv(copy), keys: liveKeys(copy) }).toEqual(expected);
    await simulated.time.complete(copy.stop());
  });

  test("gives the same run for the same seed", async () => {
    const run = async (): Promise<readonly string[]> => {
      const simulated = new SimulatedMember({ seed: 7, latencyMs });
      await simulated.start();
      await new CrashHistory(simulated).runUntilCrash(300);
      await simulated.start();
      const keys = liveKeys(simulated.member);
      await simulated.stop();
      return keys;
    };
    expect(await run()).toEqual(await run());
  });
});

describe("removing a sync anywhere is found:", () => {
  test.each<SyncCall>(["dataSync", "sync", "syncDirectory"])("%s", async (call) => {
    let found: unknown;
    for (let seed = 1; seed <= 60 && found === undefined; seed++) {
      found = await survive({ seed, wrapDisk: (disk) => withoutSync(disk, [call]) }).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    expect(found).toBeInstanceOf(Error);
    // Either the loss itself, or a member that refuses to start on a log that has lost what the store holds.
    expect(found instanceof LostWrite || ["MemberError", "WalError"].includes((found as Error).name)).toBe(true);
  });
});
