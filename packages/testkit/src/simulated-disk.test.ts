import { equalBytes } from "@conclave/base";
import { type File, withoutSync } from "@conclave/wal";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileSystemContract } from "./file-system-contract.ts";
import { seededRandom } from "./seeded-random.ts";
import { type SimulatedDisk, simulatedDisk } from "./simulated-disk.ts";
import type { Tear } from "./simulated-file.ts";
import { virtualTime } from "./virtual-time.ts";

fileSystemContract("simulatedDisk()", async () => {
  const fileSystem = newDisk();
  await fileSystem.makeDirectory("/work", 0o700);
  return { fileSystem, directory: "/work" };
});

function newDisk(seed = 1): SimulatedDisk {
  return simulatedDisk({ random: seededRandom(seed) });
}

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);

async function durableFile(disk: SimulatedDisk, bytes: Uint8Array): Promise<File> {
  const file = await disk.open("/file", { mode: "create" });
  await file.write(0, bytes);
  await file.sync();
  await disk.syncDirectory("/");
  return file;
}

async function contentOf(disk: SimulatedDisk): Promise<Uint8Array> {
  const file = await disk.open("/file", { mode: "read" });
  return file.read(0, await file.size());
}

describe("a power failure on simulatedDisk()", () => {
  it.each<Tear>(["drop", "keep", "cut", "tear"])("leaves what was synced (%s)", async (tear) => {
    const disk = newDisk();
    await durableFile(disk, filled(3_000, 7));
    expect(await contentOf(disk.crash({ tear }))).toEqual(filled(3_000, 7));
  });

  it("drops or keeps what was not synced", async () => {
    for (const [tear, expected] of [
      ["drop", filled(10, 1)],
      ["keep", filled(20, 2)],
    ] as const) {
      const disk = newDisk();
      const file = await durableFile(disk, filled(10, 1));
      await file.write(0, filled(20, 2));
      expect(await contentOf(disk.crash({ tear }))).toEqual(expected);
    }
  });

  it("cuts unsynced writes off at one sector", async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const disk = newDisk(seed);
      const file = await durableFile(disk, filled(100, 1));
      await file.write(100, filled(2_000, 2));
      const content = await contentOf(disk.crash({ tear: "cut" }));
      expect(content).toEqual(new Uint8Array([...filled(100, 1), ...filled(content.length - 100, 2)]));
      expect(content.length % 512 === 0 || content.length === 100 || content.length === 2_100).toBe(true);
      lengths.add(content.length);
    }
    expect(lengths.size).toBeGreaterThan(3);
  });

  it("tears unsynced writes into whole sectors", async () => {
    const patterns = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const disk = newDisk(seed);
      const file = await durableFile(disk, filled(2_048, 1));
      await file.write(0, filled(2_048, 2));
      const content = await contentOf(disk.crash({ tear: "tear" }));
      const sectors = [0, 512, 1_024, 1_536].map((at) => content.subarray(at, at + 512));
      for (const sector of sectors) expect([filled(512, 1), filled(512, 2)]).toContainEqual(sector);
      patterns.add(sectors.map(([first]) => first).join(""));
    }
    expect(patterns.size).toBeGreaterThan(10);
  });

  it("loses names whose directory was not synced", async () => {
    const disk = newDisk();
    const file = await disk.open("/file", { mode: "create" });
    await file.sync();
    expect(await disk.crash({ tear: "drop" }).exists("/file")).toBe(false);
  });

  it("undoes renames and removals that were not synced", async () => {
    for (const change of ["rename", "remove"] as const) {
      const disk = newDisk();
      await durableFile(disk, filled(1, 1));
      if (change === "rename") await disk.rename("/file", "/renamed");
      else await disk.remove("/file");
      expect(await disk.crash({ tear: "drop" }).list("/")).toEqual(["file"]);
    }
  });

  it("never loses both names of a rename, and makes changes of names happen in order", async () => {
    for (let seed = 0; seed < 30; seed++) {
      const disk = newDisk(seed);
      await durableFile(disk, filled(1, 1));
      await disk.rename("/file", "/second");
      await disk.rename("/second", "/third");
      expect(["file", "second", "third"]).toContain((await disk.crash({ tear: "tear" }).list("/")).join());
    }
  });

  it("keeps what is in a directory that was renamed", async () => {
    const disk = newDisk();
    await disk.makeDirectory("/building", 0o700);
    const file = await disk.open("/building/file", { mode: "create" });
    await file.write(0, filled(5, 5));
    await file.sync();
    await disk.syncDirectory("/building");
    await disk.rename("/building", "/done");
    await disk.syncDirectory("/");
    const after = disk.crash({ tear: "drop" });
    expect(await (await after.open("/done/file", { mode: "read" })).read(0, 10)).toEqual(filled(5, 5));
  });

  it("makes every call on the old disk fail", async () => {
    const disk = newDisk();
    const file = await durableFile(disk, filled(1, 1));
    disk.crash({ tear: "keep" });
    await expect(file.write(0, filled(1, 1))).rejects.toMatchObject({ code: "EIO" });
    await expect(file.dataSync()).rejects.toMatchObject({ code: "EIO" });
    await expect(disk.list("/")).rejects.toMatchObject({ code: "EIO" });
  });

  it("leaves the same disk for the same seed", async () => {
    const content = async (seed: number) => {
      const disk = newDisk(seed);
      const file = await durableFile(disk, filled(100, 1));
      for (let write = 2; write < 9; write++) await file.write(write * 300, filled(700, write));
      return contentOf(disk.crash({ tear: "tear" }));
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        expect(equalBytes(await content(seed), await content(seed))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("does not make durable what is written while the sync runs", async () => {
    const time = virtualTime();
    const disk = simulatedDisk({
      random: time.random,
      scheduler: time,
      latencyMs: (call) => (call === "sync" ? 5 : 0),
    });
    const file = await time.complete(durableFile(disk, filled(1, 1)));
    await file.write(0, filled(1, 2));
    const synced = file.dataSync();
    await time.advance(1);
    await file.write(1, filled(1, 3));
    await time.complete(synced);
    const after = await time.complete(contentOf(disk.crash({ tear: "drop" })));
    expect(after).toEqual(filled(1, 2));
  });

  it("lets the calls that are under way fail", async () => {
    const time = virtualTime();
    const disk = simulatedDisk({ random: time.random, scheduler: time, latencyMs: () => 5 });
    const file = await time.complete(durableFile(disk, filled(1, 1)));
    const synced = file.dataSync();
    disk.crash({ tear: "keep" });
    await expect(time.complete(synced)).rejects.toMatchObject({ code: "EIO" });
  });
});

describe("the faults of simulatedDisk()", () => {
  it("fails one sync, loses what it should have saved, and lets later syncs succeed over the loss", async () => {
    const disk = newDisk();
    const file = await durableFile(disk, filled(1, 1));
    await file.write(0, filled(1, 2));
    disk.failNextSync();
    await expect(file.dataSync()).rejects.toMatchObject({ code: "EIO" });
    await file.dataSync();
    expect(await contentOf(disk)).toEqual(filled(1, 2));
    expect(await contentOf(disk.crash({ tear: "keep" }))).toEqual(filled(1, 1));
  });

  it("runs full, having written what fitted", async () => {
    const disk = newDisk();
    const file = await durableFile(disk, filled(1, 1));
    disk.limitFreeBytes(4_096);
    await expect(file.write(0, filled(20_000, 2))).rejects.toMatchObject({ code: "ENOSPC" });
    expect(await file.size()).toBe(8_192);
    await file.write(0, filled(8_192, 3));
    await file.truncate(0);
    await file.write(0, filled(8_192, 4));
  });

  it("has space again when a file is removed", async () => {
    const disk = newDisk();
    await durableFile(disk, filled(4_096, 1));
    disk.limitFreeBytes(0);
    await disk.remove("/file");
    const file = await disk.open("/other", { mode: "create" });
    await file.write(0, filled(4_096, 1));
    await expect(file.write(4_096, filled(1, 1))).rejects.toMatchObject({ code: "ENOSPC" });
  });

  it("counts calls", async () => {
    const disk = newDisk();
    await durableFile(disk, filled(1, 1));
    expect(disk.calls).toEqual({ read: 1, write: 1, sync: 2 });
  });
});

describe("withoutSync()", () => {
  it("loses what the wrapped file system would have kept", async () => {
    const disk = newDisk();
    const fileSystem = withoutSync(disk, ["dataSync"]);
    await durableFile(disk, filled(1, 1));
    const file = await fileSystem.open("/file", { mode: "write" });
    await file.write(0, filled(1, 2));
    await file.dataSync();
    expect(await contentOf(disk.crash({ tear: "drop" }))).toEqual(filled(1, 1));
  });

  fileSystemContract("withoutSync() of no call", async () => ({
    fileSystem: withoutSync(newDisk(), []),
    directory: "/",
  }));
});
