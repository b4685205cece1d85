/**
 * @module Damages a small log in every place. What a log says after damage is all it said before, or `CORRUPT` with
 * nothing changed; only where the end of the log is missing, it may say less.
 */
import { equalBytes, type Random } from "@conclave/base";
import type { ConfState, Entry, HardState } from "@conclave/raft";
import { type SimulatedDisk, seededRandom, simulatedDisk } from "@conclave/testkit";
import { beforeAll, describe, expect, it } from "vitest";
import { frameHeaderBytes, readFrameHeader } from "./frame.ts";
import { createWal, openWal, WalError, type WalRepair } from "./index.ts";
import { recordTypes } from "./records.ts";

const directory = "/wal";
const smallSegmentBytes = 1_024;
const metadata = Uint8Array.of(8, 0xec, 1, 16, 2);

interface Segment {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Content {
  readonly entries: readonly Entry[];
  readonly hardState: HardState;
  readonly repaired: WalRepair | null;
}

/** Writes a log of several segments that has every kind of record and long and short entries. */
async function writeLog(seed: number, segmentBytes: number): Promise<Segment[]> {
  const random = seededRandom(seed);
  const disk = simulatedDisk({ random });
  const wal = await createWal({ fileSystem: disk, directory, metadata, segmentBytes });
  let index = 0;
  for (let save = 0; save < 16; save++) {
    const entries = Array.from({ length: random.below(4) }, (): Entry => {
      index++;
      const data = random.bytes(random.below(5) === 0 ? 700 : random.below(30));
      return { type: data.length > 20 ? "confChange" : "normal", term: 2, index, data };
    });
    await wal.save({ term: 2, vote: BigInt(seed), commit: Math.max(0, index - 1) }, entries);
    if (save === 9) await wal.saveSnapshot({ index, term: 2, confState: oneVoter });
  }
  await wal.close();
  return readSegments(disk);
}

const oneVoter: ConfState = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

async function readSegments(disk: SimulatedDisk): Promise<Segment[]> {
  const names = (await disk.list(directory)).sort();
  return Promise.all(
    names.map(async (name) => {
      const file = await disk.open(`${directory}/${name}`, { mode: "read" });
      return { name, bytes: await file.read(0, await file.size()) };
    }),
  );
}

async function diskOf(segments: readonly Segment[]): Promise<SimulatedDisk> {
  const disk = simulatedDisk({ random: seededRandom(0) });
  await disk.makeDirectory(directory, 0o700);
  for (const { name, bytes } of segments) {
    const file = await disk.open(`${directory}/${name}`, { mode: "create" });
    await file.write(0, bytes);
  }
  return disk;
}

/** What a log says, or undefined if it is refused as `CORRUPT` and left as it was. */
async function open(segments: readonly Segment[]): Promise<Content | undefined> {
  const disk = await diskOf(segments);
  try {
    const { wal, ...content } = await openWal({ fileSystem: disk, directory, segmentBytes: smallSegmentBytes });
    await wal.close();
    return content;
  } catch (error) {
    if (!(error instanceof WalError) || error.code !== "CORRUPT") throw error;
    const after = await readSegments(disk);
    const isUnchanged = after.every(
      ({ name, bytes }, at) => name === segments[at]?.name && equalBytes(bytes, segments[at].bytes),
    );
    if (!isUnchanged || after.length !== segments.length) expect.fail("changed a log that it refused");
    return undefined;
  }
}

/** The log with one of its segments replaced. */
function replaced(segments: readonly Segment[], at: number, bytes: Uint8Array): Segment[] {
  return segments.map((segment, position) => (position === at ? { ...segment, bytes } : segment));
}

/** Where the used part of a segment ends, and each frame in it. */
function framesOf({ bytes }: Segment): { readonly ends: number[]; readonly used: number } {
  const ends: number[] = [];
  let used = 0;
  while (used + frameHeaderBytes <= bytes.length) {
    const { recordBytes, frameBytes } = readFrameHeader(bytes, used);
    if (recordBytes === 0) break;
    used += frameBytes;
    ends.push(used);
  }
  return { ends, used };
}

const sameContent = (left: Content, right: Content): boolean =>
  left.hardState.term === right.hardState.term &&
  left.hardState.vote === right.hardState.vote &&
  left.hardState.commit === right.hardState.commit &&
  isPrefix(left.entries, right.entries) &&
  left.entries.length === right.entries.length;

const isPrefix = (left: readonly Entry[], right: readonly Entry[]): boolean =>
  left.every((entry, at) => {
    const other = right[at];
    return (
      other !== undefined &&
      entry.type === other.type &&
      entry.term === other.term &&
      entry.index === other.index &&
      equalBytes(entry.data, other.data)
    );
  });

describe.each([1, 2])("a log (seed %i)", { timeout: 60_000 }, (seed) => {
  let segments: Segment[];
  let whole: Content;
  let last: Segment;

  beforeAll(async () => {
    segments = await writeLog(seed, smallSegmentBytes);
    whole = (await open(segments)) ?? expect.unreachable();
    last = segments.at(-1) ?? expect.unreachable();
    expect(segments.length).toBeGreaterThan(1);
    expect(framesOf(last).ends.length).toBeGreaterThan(3);
    expect(whole.repaired).toBeNull();
  });

  it("with any bit flipped says all or is refused", async () => {
    let refused = 0;
    for (const [at, { bytes }] of segments.entries())
      for (let offset = 0; offset < bytes.length; offset++)
        for (const mask of [1 << (offset % 8), 0xff]) {
          const flipped = bytes.slice();
          flipped[offset] = (flipped[offset] ?? 0) ^ mask;
          const content = await open(replaced(segments, at, flipped));
          if (content === undefined) refused++;
          else if (!sameContent(content, whole)) expect.fail(`lost by ${mask} at ${offset} of ${segments[at]?.name}`);
        }
    expect(refused).toBeGreaterThan(1_000);
  });

  it("with its end cut off at any byte says what is before, and the cut-off record is kept aside", async () => {
    const { ends, used } = framesOf(last);
    const headEnd = ends[1] ?? 0;
    for (let length = 0; length <= used; length++) {
      const content = await open(replaced(segments, segments.length - 1, last.bytes.slice(0, length)));
      if (length < headEnd) {
        expect(content).toBeUndefined();
        continue;
      }
      const expected = await open(
        replaced(
          segments,
          segments.length - 1,
          last.bytes.slice(
            0,
            ends.findLast((end) => end <= length),
          ),
        ),
      );
      if (content === undefined || expected === undefined) expect.fail(`refused when cut at ${length}`);
      expect(sameContent(content, expected)).toBe(true);
      expect(content.repaired === null).toBe(ends.includes(length));
    }
  });

  it("with an earlier segment cut off at any byte is refused", async () => {
    for (let length = 0; length < (segments[0]?.bytes.length ?? 0); length++)
      expect(await open(replaced(segments, 0, segments[0]?.bytes.slice(0, length) ?? metadata))).toBeUndefined();
  });

  it("with zeros in place of any sector or of any eight bytes says all, or is refused, or has lost only its end", async () => {
    for (const [at, { bytes }] of segments.entries())
      for (const length of [8, 512])
        for (let offset = 0; offset < bytes.length; offset += length) {
          const holed = bytes.slice();
          holed.fill(0, offset, offset + length);
          const content = await open(replaced(segments, at, holed));
          if (content === undefined || sameContent(content, whole)) continue;
          const isEnd = at === segments.length - 1 && holed.subarray(offset + length).every((byte) => byte === 0);
          if (!isEnd || !isPrefix(content.entries, whole.entries))
            expect.fail(`lost by ${length} zeros at ${offset} of ${segments[at]?.name}`);
        }
  });

  it("with anything after its end says all, and is refused if no torn write looks like it", async () => {
    const { used } = framesOf(last);
    for (let offset = used; offset < last.bytes.length; offset += 8) {
      const dirty = last.bytes.slice();
      dirty[offset] = 1;
      const content = await open(replaced(segments, segments.length - 1, dirty));
      const isInSectorOfEnd = Math.floor(offset / 512) === Math.floor(used / 512);
      if (isInSectorOfEnd) expect(content).toBeUndefined();
      else if (content === undefined || !sameContent(content, whole)) expect.fail(`lost by a byte at ${offset}`);
      else expect(content.repaired).toMatchObject({ offset: used, reason: "data after a zero length" });
    }
  });
});

/** Damage that a torn write might have left, and damage that none leaves. */
function damage(random: Random, bytes: Uint8Array, end: number): void {
  const start = random.below(end);
  const sector = Math.floor(start / 512) * 512;
  const kind = random.below(4);
  if (kind === 0) bytes.fill(0, sector, Math.min(sector + 512 * (1 + random.below(3)), end));
  else if (kind === 1) bytes.fill(0, start, Math.min(start + 1 + random.below(1_500), end));
  else if (kind === 2) bytes.set(random.bytes(Math.min(1 + random.below(300), end - start)), start);
  else bytes[start] = random.below(256);
}

describe("damage to records that have a batch mark after them", { timeout: 60_000 }, () => {
  it.each([1, 2, 3])("is always refused or changes nothing (seed %i)", async (seed) => {
    const random = seededRandom(seed);
    const segments = await writeLog(seed, 60_000);
    const whole = (await open(segments)) ?? expect.unreachable();
    const [only] = segments;
    if (only === undefined || segments.length > 1) expect.fail("the log is to have one segment");
    const marks = marksOf(only);
    expect(marks.length).toBeGreaterThan(10);
    let refused = 0;
    for (let run = 0; run < 400; run++) {
      const damaged = only.bytes.slice();
      const mark = marks[1 + random.below(marks.length - 1)] ?? expect.unreachable();
      for (let times = random.below(3); times >= 0; times--) damage(random, damaged, mark);
      // What a crash tears after the mark changes nothing about what is before it.
      if (random.below(2) === 0) damaged.fill(0, Math.ceil((mark + 16) / 512) * 512);
      const content = await open([{ ...only, bytes: damaged }]);
      if (content === undefined) refused++;
      else if (!isPrefix(content.entries, whole.entries) || (content.repaired?.offset ?? mark) < mark)
        expect.fail(`lost in run ${run} with the mark at ${mark}`);
    }
    expect(refused).toBeGreaterThan(300);
  });
});

/** Where the batch marks of a segment are. */
function marksOf(segment: Segment): number[] {
  const starts = [0, ...framesOf(segment).ends.slice(0, -1)];
  return starts.filter((start) => start > 0 && segment.bytes[start + frameHeaderBytes + 1] === recordTypes.crc);
}
