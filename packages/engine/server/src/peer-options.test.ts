import { describe, expect, it } from "vitest";
import { silentLog } from "./log.ts";
import { peerOptions } from "./peer-options.ts";

function optionsOf(given: Partial<Parameters<typeof peerOptions>[0]>, nodeVersion = "22.12.0") {
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const config = { raftReadTimeout: 5000, raftWriteTimeout: 5000, socketReusePort: false, ...given };
  return { options: peerOptions(config, log, nodeVersion), warnings };
}

describe("peerOptions()", () => {
  it("takes the timeouts of the configuration", () => {
    expect(optionsOf({ raftReadTimeout: 8000, raftWriteTimeout: 300 })).toEqual({
      options: { limits: { streamIdleMs: 8000, streamBlockedMs: 300 }, reusePort: false },
      warnings: [],
    });
  });

  it("raises a read timeout that members' silence would exceed, and says so", () => {
    const { options, warnings } = optionsOf({ raftReadTimeout: 100 });
    expect(options.limits?.streamIdleMs).toBe(5000);
    expect(warnings).toEqual([expect.stringContaining("--raft-read-timeout is raised to 5000ms")]);
  });

  it.each([
    ["20.19.0", 1],
    ["22.11.0", 1],
    ["22.12.0", 0],
    ["24.0.0", 0],
  ])("on Node %s, asked to share ports, gives %i warnings", (nodeVersion, count) => {
    expect(optionsOf({ socketReusePort: true }, nodeVersion).warnings).toHaveLength(count);
  });
});
