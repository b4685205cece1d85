/**
 * @module Reads the segments of a log in order. It only reads: what a crash has torn is reported, not repaired.
 */
import { equalBytes } from "@conclave/base";
import type { File, FileSystem } from "./file-system.ts";
import { MalformedError } from "./proto-reader.ts";
import type { WalRecord } from "./records.ts";
import { formatSegmentName, parseSegmentName, type SegmentName } from "./segment-name.ts";
import { type Chain, readSegment, type SegmentEnd } from "./segment-reader.ts";
import { findRecordAfter } from "./torn-tail.ts";
import { WalError } from "./wal-error.ts";

/** What a log ends in. */
export interface LogTail {
  /** The last segment. */
  readonly segment: SegmentName;
  /** The end of its last good record, where the next one belongs. */
  readonly offset: number;
  /** The running checksum there. */
  readonly crc: number;
  /** The metadata of the log. */
  readonly metadata: Uint8Array;
  /** The length of the last segment's file. */
  readonly fileBytes: number;
  /** Why the rest of the file is to be cut off; undefined if it is as it should be. */
  readonly tornBy: string | undefined;
}

/** The segments in a directory by sequence. Other names are ignored. */
export async function listSegments(fileSystem: FileSystem, directory: string): Promise<SegmentName[]> {
  const names = await fileSystem.list(directory);
  const segments = names.map(parseSegmentName).filter((segment) => segment !== undefined);
  return segments.sort((left, right) => left.sequence - right.sequence);
}

/**
 * Reads segments that follow one another.
 *
 * @param segments - at least one, in order
 * @param visit - is given each record except checksums and metadata; may throw {@link MalformedError}
 * @throws {@link WalError} `CORRUPT`
 */
export async function readLog(
  fileSystem: FileSystem,
  directory: string,
  segments: readonly SegmentName[],
  visit: (record: WalRecord) => void,
): Promise<LogTail> {
  const chain: Chain = { crc: 0 };
  const head = new HeadCheck(visit);
  let tail: LogTail | undefined;
  let previous: SegmentName | undefined;
  for (const segment of segments) {
    const path = segmentPath(directory, segment);
    if (previous !== undefined && segment.sequence !== previous.sequence + 1)
      throw new WalError("CORRUPT", `Segment ${previous.sequence + 1} is missing before '${path}'`);
    previous = segment;
    const file = await fileSystem.open(path, { mode: "read" });
    try {
      const isLast = segment === segments.at(-1);
      tail = { segment, ...(await readOne(file, path, isLast, chain, head)) };
    } finally {
      await file.close();
    }
  }
  if (tail === undefined) throw new WalError("NOT_FOUND", `No log in '${directory}'`);
  return tail;
}

/** Where a segment is. */
export function segmentPath(directory: string, segment: SegmentName): string {
  return `${directory}/${formatSegmentName(segment)}`;
}

async function readOne(
  file: File,
  path: string,
  isLast: boolean,
  chain: Chain,
  head: HeadCheck,
): Promise<Omit<LogTail, "segment">> {
  const fileBytes = await file.size();
  head.startSegment();
  const end = await readSegment(file, fileBytes, chain, (record) => head.accept(record));
  const { metadata } = head;
  if (metadata === undefined || !head.complete) throw corrupt(path, end, "no metadata");
  if (end.kind === "clean") return { offset: end.offset, crc: chain.crc, metadata, fileBytes, tornBy: undefined };
  if (!isLast) throw corrupt(path, end, "and it is not the last segment");
  if (!end.looksTorn) throw corrupt(path, end);
  const later = await findRecordAfter(file, fileBytes, end.offset, chain);
  if (later !== undefined) throw corrupt(path, end, `and there is a record at offset ${later}`);
  return { offset: end.offset, crc: chain.crc, metadata, fileBytes, tornBy: end.reason };
}

function corrupt(path: string, end: SegmentEnd, detail?: string): WalError {
  const reasons = [end.kind === "damaged" ? end.reason : undefined, detail].filter((reason) => reason !== undefined);
  return new WalError("CORRUPT", `Cannot read '${path}' at offset ${end.offset}: ${reasons.join(", ")}`);
}

/** What every segment starts with. */
const headKinds: readonly WalRecord["kind"][] = ["crc", "metadata"];

/** Holds every segment to its head, a checksum and the metadata of the log, before anything else is believed. */
class HeadCheck {
  readonly #visit: (record: WalRecord) => void;
  /** The metadata of the first segment; that of all others must be equal. */
  metadata: Uint8Array | undefined;
  #records = 0;

  constructor(visit: (record: WalRecord) => void) {
    this.#visit = visit;
  }

  startSegment(): void {
    this.#records = 0;
  }

  /** Whether the head of the segment was there. */
  get complete(): boolean {
    return this.#records >= headKinds.length;
  }

  accept(record: WalRecord): void {
    const expected = headKinds[this.#records];
    if (expected !== undefined && record.kind !== expected)
      throw new MalformedError(`${record.kind} record in place of the ${expected} record at the start`);
    if (record.kind === "metadata") this.#acceptMetadata(record.metadata);
    else if (record.kind !== "crc") this.#visit(record);
    this.#records++;
  }

  #acceptMetadata(metadata: Uint8Array): void {
    this.metadata ??= metadata;
    if (!equalBytes(this.metadata, metadata)) throw new MalformedError("metadata of another log");
  }
}
