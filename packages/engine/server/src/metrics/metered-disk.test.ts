import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryBackend } from "@conclave/mvcc";
import { nodeFileSystem } from "@conclave/wal";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../system-ports.ts";
import { createInstruments } from "./instruments.ts";
import { meterBackend, meteredFileSystem } from "./metered-disk.ts";

const watch = { slowApplyMs: 100, onSlowApply: () => {} };

describe("meteredFileSystem()", () => {
  let memberDir: string;
  beforeEach(async () => {
    memberDir = await mkdtemp(join(tmpdir(), "metered-"));
    for (const name of ["wal", "snap"]) await mkdir(join(memberDir, name));
  });
  afterEach(() => rm(memberDir, { recursive: true }));

  it("measures writes and syncs of the log, and syncs of snapshots", async () => {
    const instruments = createInstruments(watch);
    const walDir = join(memberDir, "wal");
    const disk = meteredFileSystem(nodeFileSystem({ clock: systemClock }), { walDir, memberDir }, instruments);
    const log = await disk.open(join(walDir, "0.wal"), { mode: "create" });
    await log.write(0, new Uint8Array(10));
    await log.write(10, new Uint8Array(5));
    await log.dataSync();
    expect(await log.size()).toBe(15);
    await log.close();
    const snapshot = await disk.open(join(memberDir, "snap", "1.db"), { mode: "create" });
    await snapshot.write(0, new Uint8Array(7));
    await snapshot.sync();
    await snapshot.close();
    expect(instruments.counts.walBytes).toBe(15);
    expect(instruments.walWrite.count).toBe(2);
    expect(instruments.walSync.count).toBe(1);
    expect(instruments.snapshotSync.count).toBe(1);
    expect(instruments.snapshotSave.count).toBe(1);
  });
});

describe("meterBackend()", () => {
  it("measures commits, defragmentations and views, and counts the views that are open", async () => {
    const instruments = createInstruments(watch);
    const backend = meterBackend(createMemoryBackend(), instruments);
    backend.put("key", new Uint8Array([1]), new Uint8Array([2]));
    await backend.commit();
    await backend.defragment();
    const view = backend.openView();
    expect(view.get("key", new Uint8Array([1]))).toEqual(new Uint8Array([2]));
    expect(instruments.counts.openViews).toBe(1);
    view.close();
    view.close();
    expect(instruments.counts).toMatchObject({ openViews: 0, defragmenting: 0 });
    expect([instruments.commit, instruments.defragment, instruments.view].map(({ count }) => count)).toEqual([1, 1, 1]);
  });

  it("measures what fails as well", async () => {
    const instruments = createInstruments(watch);
    const backend = createMemoryBackend();
    backend.commit = () => Promise.reject(new Error("no space left on device"));
    await expect(meterBackend(backend, instruments).commit()).rejects.toThrow("no space");
    expect(instruments.commit.count).toBe(1);
  });
});
