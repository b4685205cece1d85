import { afterEach, describe, expect, test, vi } from "vitest";
import { createSystemClock, systemRandom, systemScheduler } from "./system-ports.ts";

describe("the system's clock", () => {
  /** `performance.now` stands still while the machine is suspended; `os.uptime` does not. */
  function machine() {
    const times = { running: 500, up: 90_000 };
    return { times, clock: createSystemClock({ running: () => times.running, up: () => times.up }) };
  }

  test("counts while the machine is suspended", () => {
    const { times, clock } = machine();
    times.running += 1_000;
    times.up += 1_000;
    expect(clock.monotonicMs()).toBe(1_500);
    times.up += 3_600_000;
    expect(clock.monotonicMs()).toBe(3_601_500);
    times.running += 10;
    times.up += 10;
    expect(clock.monotonicMs()).toBe(3_601_510);
  });

  test("does not take the coarse steps of the other clock for a suspend, and never goes back", () => {
    const { times, clock } = machine();
    let last = 0;
    for (let step = 0; step < 1_000; step++) {
      times.running += 7;
      times.up = 90_000 + Math.floor((times.running - 500) / 10) * 10;
      expect(clock.monotonicMs()).toBe(times.running);
      expect(clock.monotonicMs()).toBeGreaterThan(last);
      last = clock.monotonicMs();
    }
  });

  test("has the time of day for people", () => {
    expect(Math.abs(createSystemClock().wallMs() - Date.now())).toBeLessThan(1_000);
  });
});

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

describe("the system's randomness", () => {
  test("keeps within what is asked for", () => {
    for (let n = 0; n < 1_000; n++) {
      expect([0, 1, 2]).toContain(systemRandom.below(3));
      const fraction = systemRandom.fraction();
      expect(fraction >= 0 && fraction < 1).toBe(true);
    }
    expect(systemRandom.below(2 ** 50)).toBeLessThan(2 ** 50);
    expect(systemRandom.bytes(16)).toHaveLength(16);
  });
});
