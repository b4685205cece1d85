import { afterEach, describe, expect, test, vi } from "vitest";
import { systemScheduler } from "./system-scheduler.ts";

describe("the system's timers", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("keep the process alive unless they are in the background", () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    const background = systemScheduler.after(60_000, () => {}, { background: true });
    expect(timers()).toBe(before);
    const foreground = systemScheduler.after(60_000, () => {});
    expect(timers()).toBe(before + 1);
    background.cancel();
    foreground.cancel();
    expect(timers()).toBe(before);
  });

  test("wait longer than Node's timers can", () => {
    vi.useFakeTimers();
    let fired = false;
    systemScheduler.after(2 ** 31 + 1_000, () => {
      fired = true;
    });
    vi.advanceTimersByTime(2 ** 31 - 1);
    expect(fired).toBe(false);
    vi.advanceTimersByTime(1_001);
    expect(fired).toBe(true);
  });

  test("run what is for the end of the turn after it", async () => {
    const order: string[] = [];
    const done = new Promise<void>((resolve) =>
      systemScheduler.atTurnEnd(() => {
        order.push("end of turn");
        resolve();
      }),
    );
    await Promise.resolve();
    order.push("promise");
    await done;
    expect(order).toEqual(["promise", "end of turn"]);
  });
});
