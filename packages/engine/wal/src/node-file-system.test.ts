import fs from "node:fs";
import { type FileHandle, mkdtemp, open, rm, stat } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { equalBytes } from "@conclave/base";
import { fileSystemContract } from "@conclave/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeFileSystem } from "./index.ts";

fileSystemContract("nodeFileSystem()", async () => {
  const directory = await mkdtemp(join(tmpdir(), "file-system-"));
  return { fileSystem: nodeFileSystem(), directory, dispose: () => rm(directory, { recursive: true }) };
});

describe("nodeFileSystem()", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "file-system-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("keeps files and directories to their owner", async () => {
    const fileSystem = nodeFileSystem();
    await fileSystem.makeDirectory(join(directory, "private"), 0o700);
    await (await fileSystem.open(join(directory, "private", "file"), { mode: "create" })).close();
    expect((await stat(join(directory, "private"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, "private", "file"))).mode & 0o777).toBe(0o600);
  });

  it("tells how long each data sync took", async () => {
    const durations: number[] = [];
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs++ };
    const fileSystem = nodeFileSystem({ clock, onDataSync: (durationMs) => durations.push(durationMs) });
    const file = await fileSystem.open(join(directory, "file"), { mode: "create" });
    await file.dataSync();
    await file.dataSync();
    await file.close();
    expect(durations).toEqual([1, 1]);
  });

  it("asks the machine for every sync, in the pool and on the main thread", async () => {
    const handle = await open(directory, "r");
    const prototype: FileHandle = Object.getPrototypeOf(handle);
    await handle.close();
    const pooled = vi.spyOn(prototype, "datasync");
    const whole = vi.spyOn(prototype, "sync");
    const direct = vi.spyOn(fs, "fdatasyncSync");
    syncBuiltinESMExports();
    try {
      const fileSystem = nodeFileSystem({ clock: { monotonicMs: () => 0 } });
      const file = await fileSystem.open(join(directory, "file"), { mode: "create" });
      for (let call = 0; call < 20; call++) await file.dataSync();
      expect(pooled).toHaveBeenCalledTimes(16);
      expect(direct).toHaveBeenCalledTimes(4);
      expect(whole).toHaveBeenCalledTimes(0);
      await file.sync();
      await fileSystem.syncDirectory(directory);
      expect(whole).toHaveBeenCalledTimes(2);
      await file.close();
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
  });

  it("reads back what was written on the main thread as what was written in the pool", async () => {
    const clock = { monotonicMs: () => 0 }; // Every call seems to take no time, so most run on the main thread.
    const file = await nodeFileSystem({ clock }).open(join(directory, "file"), { mode: "create" });
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 31) % 256);
    for (let at = 0; at < bytes.length; at += 1_000) {
      await file.write(at, bytes.subarray(at, at + 1_000));
      await file.dataSync();
    }
    expect(equalBytes(await file.read(0, bytes.length), bytes)).toBe(true);
    await file.close();
  });
});
