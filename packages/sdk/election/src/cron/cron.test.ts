/** @module A cron on virtual time: which ticks are run, by whom, and what becomes of those that nobody could run. */
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { type CronJob, type CronOptions, createCron } from "./cron.ts";

const everyTen: CronOptions = { schedule: "*/10 * * * * *", ttlSec: 3 };

async function withCluster(
  options: { readonly seed: number; readonly members?: number },
  scenario: (cluster: SimulatedCluster) => Promise<void>,
): Promise<void> {
  const cluster = new SimulatedCluster({ members: 1, ...options });
  await cluster.run(async () => {
    await cluster.start();
    await scenario(cluster);
  });
}

/** Lets a new process take part. */
function takePart(cluster: SimulatedCluster, options: CronOptions, job: CronJob) {
  const { client, time, name } = cluster.client();
  const cron = createCron(client, "report", options);
  const stop = new AbortController();
  const done = cron.run(job, { id: name, signal: stop.signal });
  done.catch(() => {});
  return {
    cron,
    name,
    kill: () => time.kill(),
    async stop() {
      stop.abort();
      await done;
    },
  };
}

/** Whole tens of seconds. */
const places = (ticks: readonly Date[]) => ticks.map((tick) => tick.getTime() / 10_000);

describe("a cron", { timeout: 60_000 }, () => {
  test("runs each tick once in the cluster, through the death and the standstill of its leaders", () =>
    withCluster({ seed: 1, members: 3 }, async (cluster) => {
      const ticks: Date[] = [];
      const runners = new Map<string, ReturnType<typeof takePart>>();
      const add = () => {
        const part = takePart(cluster, everyTen, async ({ tick, held }) => {
          expect(held).toBe(true);
          ticks.push(tick);
        });
        runners.set(part.name, part);
      };
      for (let at = 0; at < 3; at++) add();
      await cluster.sleep(25_000);
      const [watching] = runners.values();
      const leaderOf = async () => (await watching?.cron.election.inspect())?.leader?.id ?? "";
      const stalled = await leaderOf();
      cluster.pause(stalled);
      await cluster.sleep(20_000);
      cluster.resume(stalled);
      cluster.crash(await cluster.waitForLeader());
      await cluster.sleep(20_000);
      const killed = await leaderOf();
      runners.get(killed)?.kill();
      await cluster.sleep(25_000);
      const seen = places(ticks);
      const [first = 0] = seen;
      // Every one of them, none twice, in their order.
      expect(seen).toEqual(Array.from({ length: 9 }, (_, at) => first + at));
    }));

  /** What is run after nobody has tended the cron for more than a minute, and which ticks are told to be dropped. */
  async function afterAnOutage(options: Partial<CronOptions>) {
    const seen: { run: number[]; dropped: number[] } = { run: [], dropped: [] };
    await withCluster({ seed: 2 }, async (cluster) => {
      const before: Date[] = [];
      const first = takePart(cluster, { ...everyTen, ...options }, async ({ tick }) => void before.push(tick));
      await cluster.sleep(15_000);
      await first.stop();
      await cluster.sleep(55_000);
      const ran: Date[] = [];
      const dropped: Date[] = [];
      const second = takePart(cluster, { ...everyTen, ...options }, async ({ tick }) => void ran.push(tick));
      second.cron.on("dropped", (tick) => dropped.push(tick));
      await cluster.sleep(2_000);
      const [last = 0] = places(before).slice(-1);
      seen.run = places(ran).map((place) => place - last);
      seen.dropped = places(dropped).map((place) => place - last);
      const due = await second.cron.last();
      expect(due?.state).toBe(seen.run.length === 0 ? "dropped" : "done");
      await second.stop();
    });
    return seen;
  }

  test("that skips what was missed runs the latest tick if it is not too late, and drops the others", async () => {
    expect(await afterAnOutage({ graceMs: 10_000 })).toMatchObject({ run: [6], dropped: [5] });
    expect(await afterAnOutage({ graceMs: 100 })).toMatchObject({ run: [], dropped: [6] });
  });

  test("that makes up for what was missed runs it once, or every tick up to a bound", async () => {
    expect(await afterAnOutage({ missed: "once", graceMs: 0 })).toMatchObject({ run: [6], dropped: [5] });
    expect(await afterAnOutage({ missed: "all" })).toMatchObject({ run: [1, 2, 3, 4, 5, 6], dropped: [] });
    expect(await afterAnOutage({ missed: "all", missedMax: 2 })).toMatchObject({ run: [5, 6], dropped: [4] });
  });

  test.each(["skip", "rerun"] as const)("whose runner died over a tick will %s it as told", (interrupted) =>
    withCluster({ seed: 3 }, async (cluster) => {
      const options = { ...everyTen, interrupted };
      const begun: { readonly tick: Date; readonly fence: number }[] = [];
      const first = takePart(cluster, options, async ({ tick, fence }) => {
        begun.push({ tick, fence });
        await new Promise(() => {});
      });
      while (begun.length === 0) await cluster.sleep(100);
      first.kill();
      const told: Date[] = [];
      const second = takePart(cluster, options, async ({ tick, fence }) => void begun.push({ tick, fence }));
      second.cron.on("interrupted", (tick) => told.push(tick));
      while (begun.length < 2) await cluster.sleep(100);
      const [one, two] = begun;
      expect(told).toEqual([one?.tick]);
      expect(two?.fence).toBeGreaterThan(one?.fence ?? 0);
      const later = (two?.tick.getTime() ?? 0) - (one?.tick.getTime() ?? 0);
      expect(later).toBe(interrupted === "rerun" ? 0 : 10_000);
      await second.stop();
    }),
  );

  test("goes on after a job that throws, and tells of it", () =>
    withCluster({ seed: 4 }, async (cluster) => {
      const failures: unknown[] = [];
      const { cron, stop } = takePart(cluster, everyTen, async () => {
        throw new Error("no paper");
      });
      cron.on("failed", (_tick, error) => failures.push(error));
      await cluster.sleep(25_000);
      expect(failures.map(String)).toEqual(["Error: no paper", "Error: no paper"]);
      expect(await cron.last()).toMatchObject({ state: "failed" });
      await stop();
    }));

  test("goes on where it was when the store could not be reached, and says so", () =>
    withCluster({ seed: 5 }, async (cluster) => {
      const ticks: Date[] = [];
      const { cron, name, stop } = takePart(cluster, { ...everyTen, ttlSec: 30 }, async ({ tick }) => {
        ticks.push(tick);
      });
      const failures: string[] = [];
      cron.on("storeFailed", ({ code }) => failures.push(code));
      while (ticks.length === 0) await cluster.sleep(100);
      cluster.isolate(name);
      await cluster.sleep(22_000);
      cluster.heal();
      await cluster.sleep(20_000);
      const seen = places(ticks);
      expect(seen).toEqual([...new Set(seen)].sort((one, other) => one - other));
      // The tick that was due first is begun late, by the leader that it still is.
      expect(seen[1]).toBe((seen[0] ?? 0) + 1);
      expect(seen.length).toBeGreaterThan(2);
      expect(failures).not.toEqual([]);
      await stop();
    }));

  test("knows its times in a time zone, across the change of the clocks", () => {
    const berlin = createCron(new SimulatedCluster({ seed: 6 }).client().client, "nightly", {
      schedule: "30 4 * * *",
      timezone: "Europe/Berlin",
    });
    expect(berlin.next(new Date("2024-03-30T00:00:00Z"))).toEqual(new Date("2024-03-30T03:30:00Z"));
    expect(berlin.next(new Date("2024-03-31T00:00:00Z"))).toEqual(new Date("2024-03-31T02:30:00Z"));
  });

  test("refuses a schedule, a time zone and options that it cannot read", () => {
    const { client } = new SimulatedCluster({ seed: 7 }).client();
    const make = (options: CronOptions) => () => createCron(client, "c", options);
    expect(make({ schedule: "every day" })).toThrow('Invalid schedule "every day"');
    expect(make({ schedule: "* * * * *", timezone: "Mars/Olympus" })).toThrow("Mars/Olympus");
    expect(make({ schedule: "* * * * *", missed: "sometimes" as never })).toThrow("missed");
  });
});
