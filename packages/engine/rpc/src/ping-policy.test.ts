import { describe, expect, test } from "vitest";
import { PingPolicy } from "./ping-policy.ts";

const hourMs = 3_600_000;

/** Pings at these times, in milliseconds; whether the last one is too many. */
function pingAt(policy: PingPolicy, timesMs: readonly number[], openStreams = 1): boolean {
  return timesMs.map((nowMs) => policy.isTooMany({ nowMs, openStreams })).at(-1) ?? false;
}

describe("PingPolicy", () => {
  test("takes pings that are far enough apart", () => {
    expect(pingAt(new PingPolicy(5000), [0, 5000, 10_000, 15_000, 20_000])).toBe(false);
  });

  test("takes two that come too soon, and not a third", () => {
    const policy = new PingPolicy(5000);
    expect(pingAt(policy, [0, 4999, 9998])).toBe(false);
    expect(pingAt(policy, [14_997])).toBe(true);
  });

  test("does not forget strikes for good behaviour alone", () => {
    const policy = new PingPolicy(5000);
    expect(pingAt(policy, [0, 1, 2, 10_000, 20_000])).toBe(false);
    expect(pingAt(policy, [20_001])).toBe(true);
  });

  test("forgets strikes once a response was sent", () => {
    const policy = new PingPolicy(5000);
    expect(pingAt(policy, [0, 1, 2])).toBe(false);
    policy.onSent();
    expect(pingAt(policy, [3, 4, 5])).toBe(false);
    expect(pingAt(policy, [6])).toBe(true);
  });

  test("grants a client without a stream one ping in two hours", () => {
    expect(pingAt(new PingPolicy(5000), [0, 2 * hourMs, 4 * hourMs, 6 * hourMs], 0)).toBe(false);
    expect(pingAt(new PingPolicy(5000), [0, hourMs, 2 * hourMs, 3 * hourMs], 0)).toBe(true);
  });
});
