import { describe, expect, it } from "vitest";
import { virtualTime } from "./virtual-time.ts";

describe("virtualTime()", () => {
  it("fires timers in the order of their time, and those of one time in the order of their start", async () => {
    const time = virtualTime();
    const fired: [string, number][] = [];
    for (const [name, delayMs] of [
      ["c", 20],
      ["a", 10],
      ["b", 10],
      ["d", 20.5],
    ] as const)
      time.after(delayMs, () => fired.push([name, time.monotonicMs()]));
    await time.advance(20);
    expect(fired).toEqual([
      ["a", 10],
      ["b", 10],
      ["c", 20],
    ]);
    expect(time.monotonicMs()).toBe(20);
    expect(time.pendingTimers).toBe(1);
  });

  it("moves the wall clock along", async () => {
    const time = virtualTime();
    const before = time.wallMs();
    await time.advance(1_500);
    expect(time.wallMs() - before).toBe(1_500);
  });

  it("fires timers that timers start, if they come due in time", async () => {
    const time = virtualTime();
    let ticks = 0;
    const tick = () => {
      ticks++;
      time.after(10, tick);
    };
    time.after(10, tick);
    await time.advance(95);
    expect(ticks).toBe(9);
  });

  it("fires late and once what came due in a pause", async () => {
    const time = virtualTime();
    const fired: number[] = [];
    const tick = () => {
      fired.push(time.monotonicMs());
      time.after(10, tick);
    };
    time.after(10, tick);
    const cancelled = time.after(12, () => expect.unreachable());
    time.after(11, () => cancelled.cancel());
    await time.pause(95);
    expect(fired).toEqual([95]);
    await time.advance(10);
    expect(fired).toEqual([95, 105]);
  });

  it("does not fire a cancelled timer", async () => {
    const time = virtualTime();
    const timer = time.after(1, () => expect.unreachable());
    timer.cancel();
    timer.cancel();
    await time.advance(5);
    expect(time.pendingTimers).toBe(0);
  });

  it("lets promises settle between two timers of the same time", async () => {
    const time = virtualTime();
    const order: string[] = [];
    time.after(1, () => {
      void (async () => {
        for (let step = 0; step < 50; step++) await undefined;
        order.push("promises");
      })();
    });
    time.after(1, () => order.push("timer"));
    await time.advance(1);
    expect(order).toEqual(["promises", "timer"]);
  });

  it("runs tasks at the end of the turn, after its promises and before the next timer", async () => {
    const time = virtualTime();
    const order: string[] = [];
    time.after(1, () => {
      time.atTurnEnd(() => {
        order.push("end");
        time.atTurnEnd(() => order.push("end of the end"));
      });
      void Promise.resolve().then(() => order.push("promise"));
    });
    time.after(1, () => order.push("timer"));
    await time.advance(1);
    expect(order).toEqual(["promise", "end", "end of the end", "timer"]);
  });

  it("runs until a condition holds, and no further", async () => {
    const time = virtualTime();
    let fired = 0;
    for (let timer = 1; timer <= 5; timer++) time.after(timer * 100, () => fired++);
    await time.run(() => fired === 3);
    expect(time.monotonicMs()).toBe(300);
  });

  it("says so when a condition can never hold or takes too long", async () => {
    const time = virtualTime();
    await expect(time.run(() => false)).rejects.toThrow("no timer is left");
    time.after(2_000, () => {});
    await expect(time.run(() => false, 1_000)).rejects.toThrow("1000 ms have passed");
  });

  it("completes a promise with its value or its error", async () => {
    const time = virtualTime();
    const later = (settle: (resolve: (value: string) => void, reject: (error: Error) => void) => void) =>
      new Promise<string>((resolve, reject) => void time.after(50, () => settle(resolve, reject)));
    expect(await time.complete(later((resolve) => resolve("done")))).toBe("done");
    await expect(time.complete(later((_, reject) => reject(new Error("failed"))))).rejects.toThrow("failed");
  });

  it("gives the same run for the same seed", async () => {
    const run = async (seed: number) => {
      const time = virtualTime(seed);
      const trace: number[] = [];
      const step = () => {
        trace.push(time.monotonicMs());
        if (trace.length < 20) time.after(time.random.below(100), step);
      };
      step();
      await time.run(() => trace.length === 20);
      return trace;
    };
    expect(await run(3)).toEqual(await run(3));
    expect(await run(3)).not.toEqual(await run(4));
  });

  it("refuses a negative delay", () => {
    expect(() => virtualTime().after(-1, () => {})).toThrow(RangeError);
  });
});
