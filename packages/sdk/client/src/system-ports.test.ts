import { describe, expect, test } from "vitest";
import { createSystemClock, systemRandom } from "./system-ports.ts";

describe("the system's clock", () => {
  /** `performance.now` stands still while the machine is suspended; `os.uptime` does not. */
  function machine() {
    const times = { running: 500, up: 90_000, wall: 1_700_000_000_000 };
    const sources = { running: () => times.running, up: () => times.up, wall: () => times.wall };
    const run = (durationMs: number) => {
      times.running += durationMs;
      times.up += durationMs;
      times.wall += durationMs;
    };
    const suspend = (durationMs: number) => {
      times.up += durationMs;
      times.wall += durationMs;
    };
    return { times, run, suspend, clock: createSystemClock(sources) };
  }

  test("counts while the machine is suspended, and shows it at the first look", () => {
    const { run, suspend, clock } = machine();
    run(1_000);
    expect(clock.monotonicMs()).toBe(1_500);
    run(1);
    suspend(3_600_000);
    expect(clock.monotonicMs()).toBe(3_601_501);
    run(10);
    expect(clock.monotonicMs()).toBe(3_601_511);
  });

  test("counts a suspend also when the wall clock was set back at the same time", () => {
    const { times, run, suspend, clock } = machine();
    clock.monotonicMs();
    suspend(60_000);
    times.wall -= 60_000;
    run(1_000);
    expect(clock.monotonicMs()).toBe(61_500);
  });

  test("does not follow a wall clock that is set", () => {
    const { times, run, clock } = machine();
    clock.monotonicMs();
    times.wall += 3_600_000;
    expect(clock.monotonicMs()).toBe(500);
    times.wall -= 7_200_000;
    run(5);
    expect(clock.monotonicMs()).toBe(505);
  });

  test("does not take the coarse steps of the other clock for a suspend, and never goes back", () => {
    const { times, clock } = machine();
    let last = 0;
    for (let step = 0; step < 1_000; step++) {
      times.running += 7;
      times.wall += 7;
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
