import { equalBytes } from "@conclave/base";
import type { Entry } from "@conclave/raft";
import { type SimulatedDisk, seededRandom, simulatedDisk } from "@conclave/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { createWal, openWal, validSnapshots } from "./index.ts";
import { RecordEncoder } from "./record-encoder.ts";

const directory = "/wal";
const path = `${directory}/0000000000000000-0000000000000000.wal`;
const metadata = Uint8Array.of(8, 1, 16, 2);

let disk: SimulatedDisk;
/** The end of each saved record. */
let ends: number[];

const entry = (index: number, dataBytes = 2_000): Entry => ({
  type: "normal",
  term: 1,
  index,
  data: new Uint8Array(dataBytes).fill(0xe0 + index),
});

/** A log of four batches, each with an entry of 2 000 bytes; the power failed after the last. */
beforeEach(async () => {
  disk = simulatedDisk({ random: seededRandom(1) });
  const wal = await createWal({ fileSystem: disk, directory, metadata, segmentBytes: 100_000 });
  ends = [await usedBytes()];
  for (const index of [1, 2, 3, 4]) {
    await wal.save(undefined, [entry(index)]);
    ends.push(await usedBytes());
  }
  disk = disk.crash({ tear: "keep" });
});

async function content(name = path): Promise<Uint8Array> {
  const file = await disk.open(name, { mode: "read" });
  return file.read(0, await file.size());
}

async function usedBytes(): Promise<number> {
  const bytes = await content();
  return Math.ceil((bytes.findLastIndex((byte) => byte !== 0) + 1) / 8) * 8;
}

const sector = (position: number): number => Math.floor(position / 512) * 512;
const endOf = (index: number): number => ends[index] ?? expect.unreachable();
/** Where an entry starts: the mark of its batch is before it. */
const startOf = (index: number): number => endOf(index - 1) + 16;

async function write(position: number, bytes: Uint8Array | readonly number[]): Promise<void> {
  const file = await disk.open(path, { mode: "write" });
  await file.write(position, Uint8Array.from(bytes));
}

async function truncate(length: number): Promise<void> {
  const file = await disk.open(path, { mode: "write" });
  await file.truncate(length);
}

const open = () => openWal({ fileSystem: disk, directory, segmentBytes: 100_000 });

describe("a tail that a crash has torn is cut off:", () => {
  const torn: readonly (readonly [string, string, () => Promise<void>])[] = [
    ["a record that runs past the end of the file", "record runs past the end", () => truncate(endOf(4) - 1)],
    ["a length field that is cut short", "length field cut short", () => truncate(startOf(4) + 3)],
    [
      "a record without its last sectors",
      "checksum mismatch",
      () => write(sector(startOf(4)) + 512, new Uint8Array(2_048)),
    ],
    [
      "a record without a sector in its middle",
      "checksum mismatch",
      () => write(sector(startOf(4)) + 1_024, new Uint8Array(512)),
    ],
  ];

  it.each(torn)("%s", async (_, reason, tear) => {
    await tear();
    const before = await content();
    const { wal, entries, repaired } = await open();
    expect(entries).toEqual([entry(1), entry(2), entry(3)]);
    expect(repaired).toEqual({
      file: path,
      offset: startOf(4),
      droppedBytes: before.length - startOf(4),
      reason,
      brokenCopy: `${path}.broken`,
    });
    expect(equalBytes(await content(`${path}.broken`), before)).toBe(true);
    await wal.close();
  });

  it("and the log goes on from there", async () => {
    await truncate(endOf(4) - 100);
    const { wal } = await open();
    await wal.save({ term: 2, vote: 1n, commit: 0 }, [entry(4, 10), entry(5, 10)]);
    await wal.close();
    const reopened = await open();
    expect(reopened.repaired).toBeNull();
    expect(reopened.entries).toEqual([entry(1), entry(2), entry(3), entry(4, 10), entry(5, 10)]);
    await reopened.wal.close();
  });

  it("for good when the log is open, with the copy kept", async () => {
    await truncate(endOf(4) - 1);
    const torn = await content();
    await open();
    disk = disk.crash({ tear: "drop" });
    expect((await content()).length).toBe(startOf(4));
    expect(equalBytes(await content(`${path}.broken`), torn)).toBe(true);
  });

  it("but not by only looking at its snapshots", async () => {
    await truncate(endOf(4) - 1);
    expect(await validSnapshots({ fileSystem: disk, directory })).toHaveLength(1);
    expect(await disk.list(directory)).toHaveLength(1);
    expect((await content()).length).toBe(endOf(4) - 1);
  });

  it("unless the copy cannot be made; then it stays as it is", async () => {
    await truncate(endOf(4) - 1);
    disk.limitFreeBytes(0);
    await expect(open()).rejects.toMatchObject({ code: "DISK", cause: { code: "ENOSPC" } });
    expect((await content()).length).toBe(endOf(4) - 1);
    disk.limitFreeBytes(100_000);
    const { wal, entries } = await open();
    expect(entries).toHaveLength(3);
    await wal.close();
  });

  it("once more when the power failed while it was cut off", async () => {
    await truncate(endOf(4) - 1);
    const file = await disk.open(path, { mode: "write" });
    await file.sync();
    disk.failNextSync();
    await expect(open()).rejects.toMatchObject({ code: "DISK" });
    disk = disk.crash({ tear: "drop" });
    const { wal, entries } = await open();
    expect(entries).toHaveLength(3);
    await wal.close();
  });
});

describe("sectors missing from the batch that was not synced", () => {
  /** Entries 5 and 6 in one batch, as a disk leaves it that has lost the sector at `missing` and no other. */
  async function writeBatchWithout(missing: (start: number) => number): Promise<void> {
    const { wal } = await open();
    const start = await usedBytes();
    await wal.save(undefined, [entry(5), entry(6)]);
    disk = disk.crash({ tear: "keep" });
    const lost = missing(start);
    const from = Math.max(start, lost);
    await write(from, new Uint8Array(lost + 512 - from));
  }

  it.each([
    ["the first", 4, (start: number) => sector(start)],
    ["the second", 4, (start: number) => sector(start) + 512],
    ["a later one, before a whole record", 4, (start: number) => sector(start) + 1_536],
    ["one in the middle of the second record", 5, (start: number) => sector(start) + 3_072],
  ])("%s: it is cut off there", async (_, kept, missing) => {
    await writeBatchWithout(missing);
    const { wal, entries } = await open();
    await wal.close();
    expect(entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5].slice(0, kept));
  });

  it.each([
    ["length field", (start: number) => sector(start)],
    ["content", (start: number) => sector(start) + 512],
  ])("with the %s of its mark: it is cut off there, too", async (_, missing) => {
    const { wal } = await open();
    const before = await usedBytes();
    await wal.save(undefined, [entry(5, 400)]);
    const batchBytes = (await usedBytes()) - before;
    // The next batch starts with the last eight bytes of a sector.
    const fill = (504 - before - 2 * batchBytes) & 511;
    await wal.save(undefined, [entry(6, 400 + fill)]);
    expect((await usedBytes()) % 512).toBe(504);
    disk = disk.crash({ tear: "keep" });
    await writeBatchWithout(missing);
    const opened = await open();
    expect(opened.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("are damage if there is the mark of a later batch", async () => {
    await writeBatchWithout((start) => sector(start) + 1_536);
    const encoder = new RecordEncoder(0x1234_5678);
    encoder.crc();
    await write(await usedBytes(), encoder.buffer.view(0, encoder.buffer.length));
    await expect(open()).rejects.toMatchObject({ code: "CORRUPT", message: /there is a mark at offset/ });
  });
});

describe("a log without batch marks, as etcd writes it,", () => {
  beforeEach(async () => {
    const encoder = new RecordEncoder();
    encoder.crc();
    encoder.metadata(metadata);
    encoder.snapshot({ index: 0, term: 0 });
    for (const index of [1, 2, 3]) {
      ends[index - 1] = encoder.buffer.length;
      encoder.entry(entry(index));
    }
    await truncate(0);
    await write(0, encoder.buffer.view(0, encoder.buffer.length));
  });

  it("is cut at a missing sector of its last record", async () => {
    await write(sector(endOf(2)) + 512, new Uint8Array(512));
    const { wal, entries } = await open();
    await wal.close();
    expect(entries).toEqual([entry(1), entry(2)]);
  });

  it("is refused if any whole record follows", async () => {
    await write(sector(endOf(1)) + 512, new Uint8Array(512));
    await expect(open()).rejects.toMatchObject({ code: "CORRUPT", message: /there is a record at offset/ });
  });

  it("is marked before anything is written to it", async () => {
    await open();
    disk = disk.crash({ tear: "drop" });
    expect((await content())[(await usedBytes()) - 16 + 9]).toBe(4);
    const { entries } = await open();
    expect(entries).toHaveLength(3);
  });
});

describe("what no crash can explain is refused, and nothing is changed:", () => {
  const damages: readonly (readonly [string, RegExp, () => Promise<void>])[] = [
    ["a zero length before records", /data after a zero length/, () => write(startOf(2), new Array(8).fill(0))],
    ["a length past the end before records", /there is a record at offset/, () => write(startOf(2) + 4, [1])],
    ["a length past the end of an intact record", /there is a record at offset/, () => write(startOf(4) + 4, [1])],
    ["a longer length of an intact record", /there is a record at offset/, () => write(startOf(4) + 1, [0x0f])],
    ["a shorter length of an intact record", /malformed record/, () => write(startOf(4) + 1, [0x01])],
    ["a length with the wrong padding", /malformed length field/, () => write(startOf(4) + 7, [0x85])],
    [
      "a sector of zeros before a mark",
      /there is a mark at offset/,
      () => write(sector(startOf(2)) + 1_024, new Array(512).fill(0)),
    ],
    ["a changed byte in the last record", /checksum mismatch/, () => write(startOf(4) + 900, [1])],
    ["a byte after the end", /data after a zero length/, () => write(endOf(4) + 8, [1])],
    ["a file without a record", /no metadata/, () => truncate(0)],
    ["a file without metadata", /no metadata/, () => truncate(16)],
    [
      "a record longer than any",
      /record of 134217729 bytes/,
      async () => {
        await write(endOf(4), [1, 0, 0, 8, 0, 0, 0, 0x87]);
        await truncate(200_000_000);
      },
    ],
  ];

  it.each(damages)("%s", async (_, message, damage) => {
    await damage();
    const file = await disk.open(path, { mode: "read" });
    const size = await file.size();
    const before = await file.read(0, 100_000);
    const refused = { code: "CORRUPT", message: expect.stringMatching(message) };
    await expect(open()).rejects.toMatchObject(refused);
    await expect(validSnapshots({ fileSystem: disk, directory })).rejects.toMatchObject(refused);
    expect(await disk.list(directory)).toEqual(["0000000000000000-0000000000000000.wal"]);
    expect(await file.size()).toBe(size);
    expect(equalBytes(await file.read(0, 100_000), before)).toBe(true);
  });

  it.each([
    ["metadata", "crc", (encoder: RecordEncoder) => encoder.metadata(metadata)],
    [
      "state",
      "metadata",
      (encoder: RecordEncoder) => {
        encoder.crc();
        encoder.state({ term: 1, vote: 1n, commit: 0 });
      },
    ],
  ])("a segment with a %s record in place of its %s record", async (found, expected, encode) => {
    const encoder = new RecordEncoder();
    encode(encoder);
    await truncate(0);
    await write(0, encoder.buffer.view(0, encoder.buffer.length));
    await expect(open()).rejects.toThrow(`${found} record in place of the ${expected} record`);
  });

  it("the message names the file and the offset", async () => {
    await write(startOf(4) + 900, [1]);
    await expect(open()).rejects.toThrow(`Cannot read '${path}' at offset ${startOf(4)}: checksum mismatch`);
  });
});

describe("long logs", () => {
  it("are read across the windows in which files are read", async () => {
    const entries = Array.from({ length: 3_000 }, (_, at) => entry(at + 1, (at * 37) % 2_500));
    const other = { fileSystem: disk, directory: "/other" };
    const wal = await createWal({ ...other, metadata });
    await wal.save(undefined, entries);
    await wal.close();
    const { entries: read, wal: reopened } = await openWal(other);
    await reopened.close();
    expect(read.length).toBe(entries.length);
    expect(read.every((entry, at) => equalBytes(entry.data, entries[at]?.data ?? metadata))).toBe(true);
  });

  it("are searched to their end for records after the damage", async () => {
    const other = { fileSystem: disk, directory: "/other" };
    const name = "/other/0000000000000000-0000000000000000.wal";
    const wal = await createWal({ ...other, metadata });
    await wal.save(undefined, [entry(1, 3_000_000), entry(2, 2_500_000), entry(3, 10)]);
    await wal.close();
    const file = await disk.open(name, { mode: "write" });
    await file.write(1_000_000, new Uint8Array(5_000));
    await expect(openWal(other)).rejects.toMatchObject({
      code: "CORRUPT",
      message: /there is a record at offset 3000/,
    });
  });
});
