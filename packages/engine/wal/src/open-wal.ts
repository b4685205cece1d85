import type { Entry, HardState } from "@conclave/raft";
import { defaultSegmentBytes } from "./create-wal.ts";
import { LogReader, type LogTail, listSegments, segmentPath, type WalLocation } from "./log-reader.ts";
import { spareFileName } from "./next-segment.ts";
import { RecordEncoder } from "./record-encoder.ts";
import { emptyHardState, type WalSnapshot } from "./records.ts";
import { repairTail, type WalRepair } from "./repair.ts";
import { Replay } from "./replay.ts";
import { SegmentFile } from "./segment-file.ts";
import type { SegmentName } from "./segment-name.ts";
import { SegmentedWal } from "./segmented-wal.ts";
import type { Wal } from "./wal.ts";
import { toWalError, WalError } from "./wal-error.ts";

/** How to open a log. */
export interface OpenWalOptions extends WalLocation {
  /** The snapshot to start from, one of {@link validSnapshots}; default: the empty state before the first entry. */
  readonly from?: WalSnapshot;
  /** The size in bytes at which a segment ends; default 64 000 000 as in etcd, smaller in tests. */
  readonly segmentBytes?: number;
}

/** A log and what it says. */
export interface OpenedWal {
  /** The log, to be appended to. */
  readonly wal: Wal;
  /** What its segments start with. */
  readonly metadata: Uint8Array;
  /** The last hard state; all zero if none was saved. */
  readonly hardState: HardState;
  /** The entries after the snapshot, without a gap. */
  readonly entries: Entry[];
  /** The snapshot it was opened from, with the membership as recorded. */
  readonly snapshot: WalSnapshot;
  /** What a crash had torn and opening has cut off; null if nothing. */
  readonly repaired: WalRepair | null;
}

/** What a log says, read without opening it to be appended to. */
export type ReadWal = Omit<OpenedWal, "wal" | "repaired">;

/**
 * Reads a log and changes nothing of it. A tail that a crash has torn is left out.
 *
 * @throws {@link WalError} as {@link openWal}
 */
export async function readWal(options: WalLocation & Pick<OpenWalOptions, "from">): Promise<ReadWal> {
  const { directory, from = { index: 0, term: 0 } } = options;
  try {
    const segments = segmentsFrom(await existingSegments(options), from, directory);
    const replay = new Replay(from);
    const { metadata } = await new LogReader(options, (record) => replay.accept(record)).read(segments);
    const { hardState, entries } = replay;
    return { metadata, hardState, entries, snapshot: matchingSnapshot(replay, from, directory) };
  } catch (error) {
    throw toWalError(error, `read the log in '${directory}'`);
  }
}

/**
 * Opens a log to read it once and append to it from then on. A tail that a crash has torn is cut off.
 *
 * @throws {@link WalError}
 * - `NOT_FOUND` if there is no log
 * - `NO_SNAPSHOT` if it does not reach back to the snapshot or has no record of it
 * - `CORRUPT` if it is damaged; nothing was changed then
 * - `DISK` if the file system fails
 */
export async function openWal(options: OpenWalOptions): Promise<OpenedWal> {
  const { fileSystem, directory, from = { index: 0, term: 0 }, segmentBytes = defaultSegmentBytes } = options;
  try {
    const segments = segmentsFrom(await existingSegments(options), from, directory);
    const replay = new Replay(from);
    const tail = await new LogReader(options, (record) => replay.accept(record)).read(segments);
    const snapshot = matchingSnapshot(replay, from, directory);
    const { metadata, crc } = tail;
    const { hardState, entries, lastIndex } = replay;
    await removeSpareFiles(options);
    const { file, repaired } = await openTail(options, tail, segmentBytes);
    const head = { segments, file, crc, hardState, lastIndex };
    const wal = new SegmentedWal({ fileSystem, directory, metadata, segmentBytes, ...head });
    return { wal, metadata, hardState, entries, snapshot, repaired };
  } catch (error) {
    throw toWalError(error, `open the log in '${directory}'`);
  }
}

/**
 * The snapshots a log vouches for, in the order they were saved: those whose entries are known to be committed.
 * Only reads.
 *
 * @throws {@link WalError} `NOT_FOUND`, `CORRUPT` or `DISK`
 */
export async function validSnapshots(location: WalLocation): Promise<WalSnapshot[]> {
  try {
    const snapshots: WalSnapshot[] = [];
    let { commit } = emptyHardState;
    const reader = new LogReader(location, (record) => {
      if (record.kind === "snapshot") snapshots.push(record.snapshot);
      else if (record.kind === "state") commit = record.hardState.commit;
    });
    await reader.read(contiguousSuffix(await existingSegments(location)));
    return snapshots.filter(({ index }) => index <= commit);
  } catch (error) {
    throw toWalError(error, `read the log in '${location.directory}'`);
  }
}

async function existingSegments(location: WalLocation): Promise<SegmentName[]> {
  const segments = await listSegments(location);
  if (segments.length === 0) throw new WalError("NOT_FOUND", `There is no log in '${location.directory}'`);
  return segments;
}

/** The segments that hold the snapshot's record and what follows it. */
function segmentsFrom(segments: readonly SegmentName[], from: WalSnapshot, directory: string): SegmentName[] {
  const first = segments.findLastIndex(({ index }) => index <= from.index);
  if (first < 0)
    throw new WalError("NO_SNAPSHOT", `The log in '${directory}' does not reach back to index ${from.index}`);
  return segments.slice(first);
}

/** Segments before a gap were released: a crash may bring some of them back. */
function contiguousSuffix(segments: readonly SegmentName[]): readonly SegmentName[] {
  const gap = segments.findLastIndex(({ sequence }, at) => at > 0 && segments[at - 1]?.sequence !== sequence - 1);
  return segments.slice(Math.max(gap, 0));
}

function matchingSnapshot({ snapshot }: Replay, from: WalSnapshot, directory: string): WalSnapshot {
  if (snapshot === undefined)
    throw new WalError("NO_SNAPSHOT", `The log in '${directory}' has no record of a snapshot at index ${from.index}`);
  if (snapshot.term !== from.term)
    throw new WalError(
      "NO_SNAPSHOT",
      `The snapshot at index ${from.index} is of term ${snapshot.term} in '${directory}', not of term ${from.term}`,
    );
  return snapshot;
}

async function openTail(
  location: WalLocation,
  tail: LogTail,
  segmentBytes: number,
): Promise<{ file: SegmentFile; repaired: WalRepair | null }> {
  const file = await location.fileSystem.open(segmentPath(location.directory, tail.segment), { mode: "write" });
  try {
    const repaired = tail.tornBy === undefined ? null : await repairTail(location, tail, file, tail.tornBy);
    // What was read may only be in the cache, if the process died before its sync and the machine did not.
    if (repaired === null) await file.sync();
    const segmentFile = new SegmentFile(file, tail.offset, segmentBytes);
    if (!tail.isMarked) await startMarking(segmentFile, tail.crc);
    return { file: segmentFile, repaired };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Leaves a first mark in a segment of a writer that leaves none. It stands alone, so that it is there before the first
 * batch that a crash can tear.
 */
async function startMarking(file: SegmentFile, crc: number): Promise<void> {
  const encoder = new RecordEncoder(crc);
  encoder.crc();
  await file.append(encoder.buffer.view(0, encoder.buffer.length));
  await file.dataSync();
}

/** Removes next segments that a crashed process had prepared. */
async function removeSpareFiles({ fileSystem, directory }: WalLocation): Promise<void> {
  for (const name of await fileSystem.list(directory))
    if (spareFileName.test(name)) await fileSystem.remove(`${directory}/${name}`);
}
