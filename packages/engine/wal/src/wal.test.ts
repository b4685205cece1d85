import { equalBytes } from "@conclave/base";
import type { ConfState, Entry } from "@conclave/raft";
import { type SimulatedDisk, seededRandom, simulatedDisk, virtualTime, withoutSync } from "@conclave/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { createWal, openWal, validSnapshots, type Wal, walExists } from "./index.ts";
import { parseSegmentName } from "./segment-name.ts";

const metadata = Uint8Array.of(8, 1, 16, 2);
const directory = "/member/wal";
const segmentBytes = 4_096;
const confState: ConfState = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

let disk: SimulatedDisk;
let location: { fileSystem: SimulatedDisk; directory: string; segmentBytes: number };

beforeEach(async () => {
  disk = simulatedDisk({ random: seededRandom(1) });
  location = { fileSystem: disk, directory, segmentBytes };
  await disk.makeDirectory("/member", 0o700);
  await disk.syncDirectory("/");
});

const create = (): Promise<Wal> => createWal({ ...location, metadata });

function entry(index: number, term = 1, dataBytes = 10): Entry {
  return { type: "normal", term, index, data: new Uint8Array(dataBytes).fill(index) };
}

function entries(first: number, last: number, term = 1, dataBytes = 10): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, at) => entry(first + at, term, dataBytes));
}

/** The segments that are there, as `sequence-index`. */
async function segments(): Promise<string[]> {
  const names = (await disk.list(directory)).map(parseSegmentName).filter((segment) => segment !== undefined);
  return names.sort((a, b) => a.sequence - b.sequence).map(({ sequence, index }) => `${sequence}-${index}`);
}

/** Opens, closes and returns what the log says. */
async function reopen(from?: { index: number; term: number }) {
  const { wal, ...content } = await openWal(from === undefined ? location : { ...location, from });
  await wal.close();
  return content;
}

describe("createWal()", () => {
  it("makes a log that opens empty", async () => {
    await (await create()).close();
    expect(await reopen()).toEqual({
      metadata,
      hardState: { term: 0, vote: 0n, commit: 0 },
      entries: [],
      snapshot: { index: 0, term: 0, confState: undefined },
      repaired: null,
    });
  });

  it("reserves the size of a segment", async () => {
    await (await create()).close();
    const file = await disk.open(`${directory}/0000000000000000-0000000000000000.wal`, { mode: "read" });
    expect(await file.size()).toBe(segmentBytes);
  });

  it("refuses a directory that holds a log, and leaves it alone", async () => {
    const wal = await create();
    await wal.save(undefined, [entry(1)]);
    await wal.close();
    await expect(create()).rejects.toMatchObject({ code: "EXISTS" });
    expect((await reopen()).entries).toEqual([entry(1)]);
  });

  it("takes the place of an empty directory, and of what a crash has left of an earlier attempt", async () => {
    await disk.makeDirectory(directory, 0o700);
    await disk.makeDirectory(`${directory}.tmp`, 0o700);
    await (await disk.open(`${directory}.tmp/0000000000000000-0000000000000000.wal`, { mode: "create" })).close();
    await (await create()).close();
    expect(await disk.list("/member")).toEqual(["wal"]);
    expect((await reopen()).entries).toEqual([]);
  });

  it("is all there or not at all, whenever the power fails", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const time = virtualTime(seed);
      const slow = simulatedDisk({ random: time.random, scheduler: time, latencyMs: () => 1 });
      await time.complete(slow.makeDirectory("/member", 0o700).then(() => slow.syncDirectory("/")));
      const created = createWal({ fileSystem: slow, directory, metadata, segmentBytes }).catch(() => "crashed");
      await time.advance(time.random.below(25));
      const after = { ...location, fileSystem: slow.crash({ tear: "tear" }) };
      if (await time.complete(walExists(after))) await time.complete(openWal(after));
      else await time.complete(createWal({ ...after, metadata }));
      await time.complete(created);
    }
  });

  it("passes on what the file system says", async () => {
    const missing = createWal({ ...location, directory: "/none/wal", metadata });
    await expect(missing).rejects.toMatchObject({ code: "DISK", cause: { code: "ENOENT" } });
  });
});

describe("save()", () => {
  it("keeps entries and hard state", async () => {
    const wal = await create();
    await wal.save({ term: 3, vote: 0xffff_ffff_ffff_ffffn, commit: 1 }, entries(1, 3, 3));
    await wal.save({ term: 3, vote: 0xffff_ffff_ffff_ffffn, commit: 3 }, [entry(4, 3, 0)]);
    await wal.close();
    const { entries: read, hardState } = await reopen();
    expect(read).toEqual([...entries(1, 3, 3), entry(4, 3, 0)]);
    expect(hardState).toEqual({ term: 3, vote: 0xffff_ffff_ffff_ffffn, commit: 3 });
  });

  it("keeps changes of the membership as such", async () => {
    const wal = await create();
    const change: Entry = { type: "confChange", term: 1, index: 1, data: Uint8Array.of(1) };
    const changeV2: Entry = { type: "confChangeV2", term: 1, index: 2, data: Uint8Array.of(2) };
    await wal.save(undefined, [change, changeV2]);
    await wal.close();
    expect((await reopen()).entries).toEqual([change, changeV2]);
  });

  it("lets a later entry replace that of the same index and all after it", async () => {
    const wal = await create();
    await wal.save(undefined, entries(1, 9));
    await wal.save(undefined, entries(4, 5, 2));
    await wal.close();
    expect((await reopen()).entries).toEqual([...entries(1, 3), ...entries(4, 5, 2)]);
  });

  it("continues a log that was opened", async () => {
    const expected = entries(1, 40);
    await (await create()).close();
    for (const entry of expected) {
      const { wal } = await openWal(location);
      await wal.save({ term: 1, vote: 1n, commit: entry.index - 1 }, [entry]);
      await wal.close();
    }
    const { entries: read, hardState } = await reopen();
    expect(read).toEqual(expected);
    expect(hardState.commit).toBe(39);
  });

  it("syncs for entries, for a new term and for a vote, and not for a commit index", async () => {
    const wal = await create();
    const syncs = async (save: () => Promise<void>) => {
      const before = disk.calls.sync;
      await save();
      return disk.calls.sync - before;
    };
    expect(await syncs(() => wal.save(undefined, [entry(1)]))).toBe(1);
    expect(await syncs(() => wal.save({ term: 1, vote: 0n, commit: 0 }, []))).toBe(1);
    expect(await syncs(() => wal.save({ term: 1, vote: 7n, commit: 0 }, []))).toBe(1);
    expect(await syncs(() => wal.save({ term: 1, vote: 7n, commit: 1 }, []))).toBe(0);
    expect(await syncs(() => wal.save(undefined, []))).toBe(0);
    expect(await syncs(() => wal.save({ term: 0, vote: 0n, commit: 0 }, []))).toBe(0);
    await wal.close();
    expect((await reopen()).hardState).toEqual({ term: 1, vote: 7n, commit: 1 });
  });

  it("writes commit indexes when many have come together", async () => {
    const wal = await createWal({ ...location, metadata, segmentBytes: 1_000_000 });
    const before = disk.calls.write;
    await wal.save({ term: 1, vote: 1n, commit: 0 }, []);
    for (let commit = 1; commit < 10_000; commit++) await wal.save({ term: 1, vote: 1n, commit }, []);
    expect(disk.calls.write - before).toBeGreaterThan(2);
    expect(disk.calls.write - before).toBeLessThan(10);
  });

  it("writes and syncs once for calls of the same turn", async () => {
    const wal = await create();
    const { write, sync } = disk.calls;
    await Promise.all(entries(1, 20).map((entry) => wal.save(undefined, [entry])));
    expect(disk.calls.sync - sync).toBe(1);
    expect(disk.calls.write - write).toBe(1);
    await wal.close();
    expect((await reopen()).entries).toEqual(entries(1, 20));
  });

  it("gathers what comes while the disk is busy", async () => {
    const time = virtualTime();
    const slow = simulatedDisk({
      random: time.random,
      scheduler: time,
      latencyMs: (call) => (call === "sync" ? 10 : 0),
    });
    const wal = await time.complete(createWal({ fileSystem: slow, directory: "/wal", metadata }));
    const before = slow.calls.sync;
    const saves = [wal.save(undefined, [entry(1)])];
    await time.settle();
    for (const later of entries(2, 50)) saves.push(wal.save(undefined, [later]));
    await time.complete(Promise.all(saves));
    expect(slow.calls.sync - before).toBe(2);
  });

  it("answers no save before its sync", async () => {
    const time = virtualTime();
    const slow = simulatedDisk({
      random: time.random,
      scheduler: time,
      latencyMs: (call) => (call === "sync" ? 10 : 0),
    });
    const wal = await time.complete(createWal({ fileSystem: slow, directory: "/wal", metadata }));
    let done = false;
    void wal.save(undefined, [entry(1)]).then(() => {
      done = true;
    });
    await time.advance(9);
    expect(done).toBe(false);
    await time.advance(1);
    expect(done).toBe(true);
  });

  it("keeps entries far longer than a segment", async () => {
    const wal = await create();
    const long = entry(1, 1, 3_000_000);
    await wal.save(undefined, [long]);
    await wal.save(undefined, [entry(2)]);
    await wal.close();
    const { entries: read } = await reopen();
    expect(read.map(({ index }) => index)).toEqual([1, 2]);
    expect(equalBytes(read[0]?.data ?? metadata, long.data)).toBe(true);
  });

  it("takes a term that goes back for a broken program", async () => {
    const wal = await create();
    await wal.save({ term: 2, vote: 1n, commit: 0 }, []);
    await expect(wal.save({ term: 1, vote: 1n, commit: 0 }, [])).rejects.toThrow("the term never goes back");
  });
});

describe("segments", () => {
  it("are cut at their size and named by sequence and next index", async () => {
    const wal = await create();
    for (const saved of entries(1, 30, 1, 1_000)) await wal.save({ term: 1, vote: 1n, commit: 0 }, [saved]);
    await wal.close();
    expect((await segments()).slice(0, 4)).toEqual(["0-0", "1-5", "2-9", "3-13"]);
    expect((await reopen()).entries).toEqual(entries(1, 30, 1, 1_000));
  });

  it("end at their last record", async () => {
    const wal = await create();
    for (const saved of entries(1, 8, 1, 1_000)) await wal.save(undefined, [saved]);
    await wal.close();
    const file = await disk.open(`${directory}/0000000000000000-0000000000000000.wal`, { mode: "read" });
    const size = await file.size();
    expect(size).toBeGreaterThan(segmentBytes);
    expect(size).toBeLessThan(segmentBytes + 1_100);
    expect((await file.read(size - 8, 8)).some((byte) => byte !== 0)).toBe(true);
  });

  it("repeat the hard state, so that opening at the last one knows it", async () => {
    const wal = await create();
    await wal.save({ term: 5, vote: 9n, commit: 0 }, []);
    for (const saved of entries(1, 10, 5, 1_000)) await wal.save(undefined, [saved]);
    await wal.saveSnapshot({ index: 9, term: 5, confState });
    await wal.release(9);
    await wal.close();
    const { hardState, entries: read } = await reopen({ index: 9, term: 5 });
    expect(hardState).toEqual({ term: 5, vote: 9n, commit: 0 });
    expect(read).toEqual([entry(10, 5, 1_000)]);
  });

  it("are prepared while the one before is being filled, and not left behind", async () => {
    const wal = await create();
    for (const saved of entries(1, 3, 1, 1_000)) await wal.save(undefined, [saved]);
    expect(await disk.list(directory)).toContain("0.tmp");
    for (const saved of entries(4, 7, 1, 1_000)) await wal.save(undefined, [saved]);
    expect(await disk.list(directory)).toContain("1.tmp");
    await wal.close();
    expect((await disk.list(directory)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("that a crashed process had prepared are removed", async () => {
    await (await create()).close();
    for (const name of ["0.tmp", "1.tmp", "other.tmp"])
      await (await disk.open(`${directory}/${name}`, { mode: "create" })).close();
    await reopen();
    expect((await disk.list(directory)).filter((name) => name.endsWith(".tmp"))).toEqual(["other.tmp"]);
  });

  it("must follow one another", async () => {
    const wal = await create();
    for (const saved of entries(1, 12, 1, 1_000)) await wal.save(undefined, [saved]);
    await wal.close();
    await disk.remove(`${directory}/0000000000000001-0000000000000005.wal`);
    await expect(reopen()).rejects.toMatchObject({ code: "CORRUPT", message: /Segment 1 is missing/ });
  });

  it("must belong to one log", async () => {
    const wal = await create();
    for (const saved of entries(1, 6, 1, 1_000)) await wal.save(undefined, [saved]);
    await wal.close();
    const stranger = await createWal({ ...location, directory: "/stranger", metadata: Uint8Array.of(8, 9, 16, 9) });
    await stranger.close();
    await disk.rename(
      "/stranger/0000000000000000-0000000000000000.wal",
      `${directory}/0000000000000001-0000000000000005.wal`,
    );
    await expect(reopen()).rejects.toMatchObject({ code: "CORRUPT" });
  });
});

describe("release()", () => {
  let wal: Wal;
  beforeEach(async () => {
    wal = await create();
    for (const saved of entries(1, 19, 1, 1_000)) await wal.save(undefined, [saved]);
    expect(await segments()).toEqual(["0-0", "1-5", "2-9", "3-13", "4-17"]);
  });

  it.each([
    [0, ["0-0", "1-5", "2-9", "3-13", "4-17"]],
    [4, ["0-0", "1-5", "2-9", "3-13", "4-17"]],
    [5, ["1-5", "2-9", "3-13", "4-17"]],
    [12, ["2-9", "3-13", "4-17"]],
    [1_000, ["4-17"]],
  ])("of index %i keeps the segments that opening there reads", async (index, kept) => {
    await wal.saveSnapshot({ index: Math.min(index, 19), term: 1, confState });
    await wal.release(index);
    expect(await segments()).toEqual(kept);
    await wal.close();
    if (index > 0)
      expect((await reopen({ index: Math.min(index, 19), term: 1 })).entries).toEqual(
        entries(Math.min(index, 19) + 1, 19, 1, 1_000),
      );
  });

  it("frees the space for good", async () => {
    await wal.release(12);
    disk = disk.crash({ tear: "drop" });
    expect(await segments()).toEqual(["2-9", "3-13", "4-17"]);
  });

  it("may be called while saving and releasing", async () => {
    const releases = [wal.release(9), wal.release(13), wal.release(9)];
    for (const saved of entries(20, 30, 1, 1_000)) await wal.save(undefined, [saved]);
    await Promise.all(releases);
    expect((await segments())[0]).toBe("3-13");
    await wal.save(undefined, [entry(31)]);
  });

  it("tells of a failure and leaves the log usable", async () => {
    disk.failNextSync();
    await expect(wal.release(9)).rejects.toMatchObject({ code: "DISK" });
    await wal.save(undefined, [entry(20)]);
    await wal.release(13);
    expect((await segments())[0]).toBe("3-13");
  });

  it("leaves segments behind a gap unread that a crash brings back", async () => {
    await wal.saveSnapshot({ index: 10, term: 1, confState });
    await wal.save({ term: 1, vote: 1n, commit: 19 }, []);
    await disk.remove(`${directory}/0000000000000001-0000000000000005.wal`);
    expect((await validSnapshots(location)).map(({ index }) => index)).toEqual([10]);
  });
});

describe("snapshots", () => {
  it("are valid up to the commit index", async () => {
    const wal = await create();
    await wal.save({ term: 2, vote: 1n, commit: 4 }, entries(1, 6, 2));
    await wal.saveSnapshot({ index: 4, term: 2, confState });
    await wal.saveSnapshot({ index: 5, term: 2, confState });
    await wal.close();
    expect(await validSnapshots(location)).toEqual([
      { index: 0, term: 0, confState: undefined },
      { index: 4, term: 2, confState },
    ]);
  });

  it("keep the whole membership", async () => {
    const joint: ConfState = {
      voters: [1n, 2n ** 64n - 1n],
      learners: [3n],
      votersOutgoing: [1n, 4n],
      learnersNext: [4n],
      autoLeave: true,
    };
    const wal = await create();
    await wal.save({ term: 1, vote: 1n, commit: 1 }, [entry(1)]);
    await wal.saveSnapshot({ index: 1, term: 1, confState: joint });
    await wal.close();
    expect((await reopen({ index: 1, term: 1 })).snapshot).toEqual({ index: 1, term: 1, confState: joint });
  });

  it("of a leader may lie beyond the log", async () => {
    const wal = await create();
    await wal.save({ term: 3, vote: 0n, commit: 0 }, []);
    await wal.saveSnapshot({ index: 500, term: 3, confState });
    await wal.save({ term: 3, vote: 0n, commit: 500 }, []);
    await wal.save(undefined, entries(501, 502, 3));
    await wal.close();
    const { entries: read, hardState } = await reopen({ index: 500, term: 3 });
    expect(read).toEqual(entries(501, 502, 3));
    expect(hardState).toEqual({ term: 3, vote: 0n, commit: 500 });
    await expect(reopen()).rejects.toMatchObject({ code: "CORRUPT", message: /missing/ });
  });

  it("of a leader are durable with the hard state that confirms them", async () => {
    const wal = await create();
    await wal.save({ term: 3, vote: 1n, commit: 0 }, []);
    await wal.saveSnapshot({ index: 500, term: 3, confState });
    await wal.save({ term: 3, vote: 1n, commit: 500 }, []);
    location = { ...location, fileSystem: disk.crash({ tear: "drop" }) };
    expect((await validSnapshots(location)).map(({ index }) => index)).toEqual([0, 500]);
  });

  it("name the segments after them", async () => {
    const wal = await create();
    await wal.saveSnapshot({ index: 500, term: 3, confState });
    for (const saved of entries(501, 505, 3, 1_000)) await wal.save(undefined, [saved]);
    expect(await segments()).toEqual(["0-0", "1-505"]);
    await wal.close();
  });

  it("need the membership", async () => {
    const wal = await create();
    await expect(wal.saveSnapshot({ index: 1, term: 1 })).rejects.toThrow(TypeError);
    await wal.save(undefined, [entry(1)]);
  });

  it("must be recorded, with the same term, in what is left of the log", async () => {
    const wal = await create();
    for (const saved of entries(1, 20, 1, 1_000)) await wal.save({ term: 1, vote: 1n, commit: 20 }, [saved]);
    await wal.saveSnapshot({ index: 10, term: 1, confState });
    await wal.release(10);
    await wal.close();
    await expect(reopen({ index: 11, term: 1 })).rejects.toMatchObject({ code: "NO_SNAPSHOT", message: /no record/ });
    await expect(reopen({ index: 10, term: 2 })).rejects.toMatchObject({ code: "NO_SNAPSHOT", message: /of term 1/ });
    await expect(reopen()).rejects.toMatchObject({ code: "NO_SNAPSHOT", message: /does not reach back/ });
  });
});

describe("openWal() and validSnapshots()", () => {
  it("say when there is no log", async () => {
    await expect(openWal(location)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(validSnapshots(location)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await walExists(location)).toBe(false);
    await disk.makeDirectory(directory, 0o700);
    await expect(openWal(location)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await walExists(location)).toBe(false);
  });
});

describe("openWal()", () => {
  it("makes durable what it read: a process may die before its sync, and the machine later", async () => {
    await (await create()).close();
    const { wal } = await openWal({ ...location, fileSystem: withoutSync(disk, ["dataSync"]) });
    await wal.save(undefined, [entry(1)]);
    expect((await openWal(location)).entries).toEqual([entry(1)]);
    location = { ...location, fileSystem: disk.crash({ tear: "drop" }) };
    expect((await reopen()).entries).toEqual([entry(1)]);
  });
});

describe("close()", () => {
  it("needs no room on the disk for a log that is durable", async () => {
    const wal = await createWal({ ...location, metadata, segmentBytes: 100_000_000 });
    await wal.save(undefined, [entry(1, 1, 300_000)]);
    disk.limitFreeBytes(0);
    await wal.close();
    expect((await reopen()).entries).toHaveLength(1);
  });

  it("makes durable what was saved, commit index included", async () => {
    const wal = await create();
    const saving = wal.save({ term: 1, vote: 1n, commit: 0 }, [entry(1)]);
    await wal.save({ term: 1, vote: 1n, commit: 1 }, []);
    await wal.close();
    await saving;
    location = { ...location, fileSystem: disk.crash({ tear: "drop" }) };
    const { hardState, entries: read } = await reopen();
    expect(hardState.commit).toBe(1);
    expect(read).toEqual([entry(1)]);
  });

  it("leaves a log as it was in which nothing was saved", async () => {
    const wal = await create();
    await wal.save({ term: 1, vote: 1n, commit: 0 }, [entry(1)]);
    await wal.close();
    const content = async (): Promise<Uint8Array[]> => {
      const names = await disk.list(directory);
      return Promise.all(
        names.sort().map(async (name) => {
          const file = await disk.open(`${directory}/${name}`, { mode: "read" });
          const bytes = await file.read(0, await file.size());
          await file.close();
          return bytes;
        }),
      );
    };
    const before = await content();
    const opened = await openWal(location);
    await opened.wal.close();
    expect(await content()).toEqual(before);
  });

  it("waits for the segment that is being cut", async () => {
    const wal = await create();
    const saving = wal.save(undefined, [entry(1, 1, 5_000)]);
    await wal.close();
    await saving;
    expect(await segments()).toEqual(["0-0", "1-2"]);
    expect(await disk.list(directory)).toHaveLength(2);
    expect((await reopen()).entries).toHaveLength(1);
  });

  it("may be called again, and refuses what comes later", async () => {
    const wal = await create();
    await Promise.all([wal.close(), wal.close()]);
    await wal[Symbol.asyncDispose]();
    await expect(wal.save(undefined, [entry(1)])).rejects.toMatchObject({ code: "CLOSED" });
    await expect(wal.saveSnapshot({ index: 0, term: 0 })).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("writtenBytes", () => {
  it("counts the bytes of records, heads of segments included", async () => {
    const wal = await create();
    expect(wal.writtenBytes).toBe(0);
    await wal.save(undefined, [entry(1, 1, 1_000)]);
    expect(wal.writtenBytes).toBeGreaterThan(1_000);
    expect(wal.writtenBytes).toBeLessThan(1_060);
    await wal.close();
  });
});

describe("a disk that fails", () => {
  it("fails the save, those that wait and all that come, though the disk recovers", async () => {
    const time = virtualTime();
    const slow = simulatedDisk({
      random: time.random,
      scheduler: time,
      latencyMs: (call) => (call === "sync" ? 10 : 0),
    });
    const wal = await time.complete(createWal({ fileSystem: slow, directory: "/wal", metadata }));
    slow.failNextSync();
    const outcomes = Promise.allSettled(
      [1, 2, 3].map(async (index) => {
        if (index > 1) await time.settle();
        await wal.save(undefined, [entry(index)]);
      }),
    );
    for (const outcome of await time.complete(outcomes))
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "DISK", cause: { code: "EIO" } } });
    await expect(wal.save(undefined, [entry(4)])).rejects.toMatchObject({ code: "DISK" });
    await expect(wal.saveSnapshot({ index: 0, term: 0 })).rejects.toMatchObject({ code: "DISK" });
    await wal.close();
  });

  it("that is full fails the save with its reason, and what was durable is there when there is space again", async () => {
    const wal = await createWal({ ...location, metadata, segmentBytes: 1_000_000 });
    await wal.save(undefined, entries(1, 5));
    disk.limitFreeBytes(8_192);
    await expect(wal.save(undefined, entries(6, 500, 1, 1_000))).rejects.toMatchObject({
      code: "DISK",
      cause: { code: "ENOSPC" },
    });
    await wal.close();
    disk.limitFreeBytes(10_000_000);
    const { entries: read } = await reopen();
    expect(read.slice(0, 5)).toEqual(entries(1, 5));
  });

  it("when the next segment is prepared, fails only when that is needed", async () => {
    const wal = await create();
    await wal.save(undefined, entries(1, 2, 1, 1_000));
    disk.limitFreeBytes(0);
    await wal.save(undefined, [entry(3, 1, 1_000)]);
    await wal.save(undefined, [entry(4, 1, 800)]);
    await expect(wal.save(undefined, [entry(5)])).rejects.toMatchObject({ code: "DISK", cause: { code: "ENOSPC" } });
    await wal.close();
  });

  it("at close, fails the close", async () => {
    const wal = await create();
    disk.failNextSync();
    await expect(wal.close()).rejects.toMatchObject({ code: "DISK" });
  });
});
