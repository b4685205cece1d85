import { describe, expect, it } from "vitest";
import { SyncPolicy } from "./sync-policy.ts";

/** A policy and a disk whose calls take as long as is said. */
function measuredDisk() {
  let nowMs = 0;
  const policy = new SyncPolicy({ monotonicMs: () => nowMs });
  const call = async (durationMs: number): Promise<"direct" | "pooled"> => {
    let ran: "direct" | "pooled" | undefined;
    await policy.run(
      () => {
        ran = "direct";
        nowMs += durationMs;
      },
      async () => {
        ran = "pooled";
        nowMs += durationMs;
      },
    );
    return ran ?? expect.unreachable();
  };
  const calls = async (count: number, durationMs: number) => {
    const ran: string[] = [];
    for (let made = 0; made < count; made++) ran.push(await call(durationMs));
    return ran;
  };
  return { call, calls };
}

describe("SyncPolicy", () => {
  it("starts in the pool and moves to the main thread after a window of fast calls", async () => {
    const { calls } = measuredDisk();
    expect(new Set(await calls(16, 0.1))).toEqual(new Set(["pooled"]));
    expect(new Set(await calls(100, 0.1))).toEqual(new Set(["direct"]));
  });

  it("waits until no call of the window was slow", async () => {
    const { call, calls } = measuredDisk();
    await calls(15, 0.1);
    await call(1.5);
    expect(new Set(await calls(16, 0.1))).toEqual(new Set(["pooled"]));
    expect(await call(0.1)).toBe("direct");
  });

  it("goes back to the pool after one slow call, for a whole window", async () => {
    const { call, calls } = measuredDisk();
    await calls(16, 0.1);
    expect(await call(20)).toBe("direct");
    expect(new Set(await calls(16, 0.1))).toEqual(new Set(["pooled"]));
    expect(await call(0.1)).toBe("direct");
  });

  it("stays on the main thread when a call is somewhat slower", async () => {
    const { call, calls } = measuredDisk();
    await calls(16, 0.1);
    await call(2.5);
    expect(await call(0.1)).toBe("direct");
  });

  it("never blocks the main thread on a slow disk", async () => {
    const { calls } = measuredDisk();
    expect(new Set(await calls(1_000, 8))).toEqual(new Set(["pooled"]));
  });

  it("tries now and then when the pool's delays are short but not short enough", async () => {
    const { calls } = measuredDisk();
    const ran = await calls(200, 2);
    expect(ran.indexOf("direct")).toBe(64);
    expect(ran.filter((where) => where === "direct")).toHaveLength(3);
  });

  it("stays on the main thread when a trial was fast", async () => {
    const { call, calls } = measuredDisk();
    await calls(64, 2);
    expect(await call(0.1)).toBe("direct");
    expect(await call(0.1)).toBe("direct");
  });

  it("passes failures on and counts them for nothing", async () => {
    const policy = new SyncPolicy({ monotonicMs: () => 0 });
    const failing = policy.run(
      () => {},
      () => Promise.reject(new Error("disk gone")),
    );
    await expect(failing).rejects.toThrow("disk gone");
  });
});
