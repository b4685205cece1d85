/**
 * @module Reads the segments of a log in order. It only reads: what a crash has torn is reported, not repaired.
 */
import { equalBytes, invariant, MalformedError } from "@conclave/base";
import type { FileSystem } from "./file-system.ts";
import { ReadWindow } from "./read-window.ts";
import type { WalRecord } from "./records.ts";
import { formatSegmentName, parseSegmentName, type SegmentName } from "./segment-name.ts";
import { type Chain, type SegmentEnd, SegmentReader } from "./segment-reader.ts";
import { findRefutation } from "./torn-tail.ts";
import { WalError } from "./wal-error.ts";

/** Where a log is. */
export interface WalLocation {
  /** Where it is kept. */
  readonly fileSystem: FileSystem;
  /** Its directory, an absolute path such as `<data-dir>/member/wal`. */
  readonly directory: string;
}

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
  /** Whether a batch mark was read in it. */
  readonly isMarked: boolean;
  /** Why the rest of the file is to be cut off; undefined if it is as it should be. */
  readonly tornBy: string | undefined;
}

/** The segments in a directory by sequence; none if it does not exist. Other names are ignored. */
export async function listSegments({ fileSystem, directory }: WalLocation): Promise<SegmentName[]> {
  if (!(await fileSystem.exists(directory))) return [];
  const names = await fileSystem.list(directory);
  const segments = names.map(parseSegmentName).filter((segment) => segment !== undefined);
  return segments.sort((left, right) => left.sequence - right.sequence);
}

/** Where a segment is. */
export function segmentPath(directory: string, segment: SegmentName): string {
  return `${directory}/${formatSegmentName(segment)}`;
}

/** Reads the segments of one log. */
export class LogReader {
  readonly #location: WalLocation;
  readonly #chain: Chain = { crc: 0 };
  readonly #head: HeadCheck;

  /** @param visit - is given each record except checksums and metadata; may throw {@link MalformedError} */
  constructor(location: WalLocation, visit: (record: WalRecord) => void) {
    this.#location = location;
    this.#head = new HeadCheck(visit);
  }

  /**
   * Reads segments that follow one another.
   *
   * @param segments - at least one, in order
   * @throws {@link WalError} `CORRUPT`
   */
  async read(segments: readonly SegmentName[]): Promise<LogTail> {
    let tail: LogTail | undefined;
    for (const segment of segments) {
      if (tail !== undefined) this.#assertContinued(tail, segment);
      tail = await this.#readSegment(segment);
    }
    invariant(tail !== undefined, "a log has a segment");
    return tail;
  }

  /** Only the last segment may be torn: the one before was finished and synced before the next got its name. */
  #assertContinued({ segment, offset, tornBy }: LogTail, next: SegmentName): void {
    if (tornBy !== undefined) throw corrupt(this.#path(segment), offset, tornBy);
    if (next.sequence !== segment.sequence + 1)
      throw new WalError("CORRUPT", `Segment ${segment.sequence + 1} is missing before '${this.#path(next)}'`);
  }

  async #readSegment(segment: SegmentName): Promise<LogTail> {
    const file = await this.#location.fileSystem.open(this.#path(segment), { mode: "read" });
    try {
      const window = await ReadWindow.of(file);
      try {
        return await this.#readWindow(segment, window);
      } finally {
        await window.settled();
      }
    } finally {
      await file.close();
    }
  }

  async #readWindow(segment: SegmentName, window: ReadWindow): Promise<LogTail> {
    const path = this.#path(segment);
    this.#head.startSegment();
    const end = await new SegmentReader(window, this.#chain, (record) => this.#head.accept(record)).read();
    const tornBy = await this.#tornBy(path, window, end);
    const { metadata, complete } = this.#head;
    if (metadata === undefined || !complete) throw corrupt(path, end.offset, tornBy ?? "no metadata");
    const { offset, isMarked } = end;
    return { segment, offset, crc: this.#chain.crc, metadata, fileBytes: window.fileBytes, isMarked, tornBy };
  }

  /** Why a crash is to be blamed for what follows the last good record, if anything does. */
  async #tornBy(path: string, window: ReadWindow, end: SegmentEnd): Promise<string | undefined> {
    const { offset, damage } = end;
    if (damage === undefined) return undefined;
    const { reason, refutedBy } = damage;
    if (refutedBy === "itself") throw corrupt(path, offset, reason);
    const refutation = await findRefutation(window, offset, this.#chain, refutedBy);
    if (refutation === undefined) return reason;
    throw corrupt(path, offset, `${reason}, and there is ${refutation}`);
  }

  #path(segment: SegmentName): string {
    return segmentPath(this.#location.directory, segment);
  }
}

function corrupt(path: string, offset: number, reason: string): WalError {
  return new WalError("CORRUPT", `Cannot read '${path}' at offset ${offset}: ${reason}`);
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
