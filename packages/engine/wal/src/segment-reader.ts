/**
 * @module Reads the records of one segment up to the end of its used part, or to where it makes no sense any more.
 */
import { crc32c, MalformedError } from "@conclave/base";
import { type FrameHeader, frameHeaderBytes, readFrameHeader } from "./frame.ts";
import { isZero } from "./is-zero.ts";
import type { ReadWindow } from "./read-window.ts";
import { decodeRecord, parseRecord, type RawRecord } from "./record-decoder.ts";
import { recordBytesMax, recordTypes, type WalRecord } from "./records.ts";

/** The unit in which a disk is taken to write: each is there as a whole or not at all. */
const sectorBytes = 512;

/** The running checksum while reading. 0: nothing was read yet, so the first checksum record is believed. */
export interface Chain {
  /** CRC-32C of the data of all records so far. */
  crc: number;
}

/** Where the good records of a segment end. */
export interface SegmentEnd {
  /** The end of the last good record. */
  readonly offset: number;
  /** Whether a batch mark was read: from there on the log says what was durable. */
  readonly isMarked: boolean;
  /** What is wrong with what follows; undefined at the end of the used part. */
  readonly damage: Damage | undefined;
}

/** Something that is no record where one belongs. */
export interface Damage {
  /** What is wrong with it. */
  readonly reason: string;
  /**
   * What shows that it is no write which a crash has torn: itself, as a tear looks different, any whole record after it,
   * or the mark of a later batch.
   */
  readonly refutedBy: "itself" | "record" | "mark";
}

/** Reads one segment, record by record. */
export class SegmentReader {
  readonly #window: ReadWindow;
  readonly #chain: Chain;
  readonly #visit: (record: WalRecord) => void;
  #isMarked = false;

  /**
   * @param window - the file
   * @param chain - the running checksum; moves on with every good record
   * @param visit - is given each good record; may throw {@link MalformedError} to refuse it
   */
  constructor(window: ReadWindow, chain: Chain, visit: (record: WalRecord) => void) {
    this.#window = window;
    this.#chain = chain;
    this.#visit = visit;
  }

  /** Reads from the start to the end. */
  async read(): Promise<SegmentEnd> {
    const window = this.#window;
    for (let offset = 0; ; ) {
      const restBytes = window.fileBytes - offset;
      if (restBytes < frameHeaderBytes) return this.#endOfFile(offset);
      if (!window.holds(offset, frameHeaderBytes)) await window.load(offset, frameHeaderBytes);
      const header = readFrameHeader(window.bytes, window.at(offset));
      const misfit = misfitOf(header, restBytes);
      if (misfit !== undefined) return this.#end(offset, misfit);
      if (header.recordBytes === 0) return this.#endOfUsedPart(offset);
      if (!window.holds(offset, header.frameBytes)) await window.load(offset, header.frameBytes);
      const damage = this.#accept(offset, header);
      if (damage !== undefined) return this.#end(offset, damage);
      offset += header.frameBytes;
    }
  }

  /** Takes one record in; returns what is wrong with it, if anything. */
  #accept(offset: number, { recordBytes, frameBytes }: FrameHeader): Damage | undefined {
    const { bytes } = this.#window;
    const start = this.#window.at(offset) + frameHeaderBytes;
    const raw = parseRecord(bytes, start, start + recordBytes);
    if (raw === undefined || raw.end !== start + recordBytes)
      return { reason: "malformed record", refutedBy: this.#refuterOf(offset, frameBytes) };
    const crc = continuedCrc(raw, this.#chain);
    if (crc !== raw.crc) return { reason: "checksum mismatch", refutedBy: this.#refuterOf(offset, frameBytes) };
    try {
      this.#visit(decodeRecord(raw));
    } catch (error) {
      if (error instanceof MalformedError) return { reason: error.message, refutedBy: "itself" };
      throw error;
    }
    this.#chain.crc = crc;
    // The one at the start of a segment is no mark: etcd writes it too.
    if (raw.type === recordTypes.crc && offset > 0) this.#isMarked = true;
    return undefined;
  }

  /** A torn record misses a sector. Where the log says nothing of batches, nothing whole may follow it either. */
  #refuterOf(offset: number, frameBytes: number): Damage["refutedBy"] {
    if (!this.#hasZeroSector(offset, frameBytes)) return "itself";
    return this.#isMarked ? "mark" : "record";
  }

  /** Whether a piece of the record between two sector boundaries is all zero: it never reached the disk. */
  #hasZeroSector(offset: number, frameBytes: number): boolean {
    const window = this.#window;
    const frameEnd = offset + frameBytes;
    for (let start = offset + frameHeaderBytes; start < frameEnd; ) {
      const end = Math.min(frameEnd, sectorEndAfter(start));
      if (isZero(window.bytes.subarray(window.at(start), window.at(end)))) return true;
      start = end;
    }
    return false;
  }

  /** Fewer bytes are left than a length field takes. */
  async #endOfFile(offset: number): Promise<SegmentEnd> {
    const window = this.#window;
    await window.load(offset, frameHeaderBytes);
    if (isZero(window.bytes.subarray(window.at(offset)))) return this.#end(offset);
    return this.#end(offset, { reason: "length field cut short", refutedBy: "record" });
  }

  /**
   * After a length of zero nothing must follow: else it is the length that is damaged. Or, if it is zero up to the end of
   * its sector, that sector never reached the disk. That is not believed of a log that says nothing of batches: it would
   * take all that follows for unwritten.
   */
  async #endOfUsedPart(offset: number): Promise<SegmentEnd> {
    const window = this.#window;
    if (!window.holds(offset, sectorBytes)) await window.load(offset, sectorBytes);
    const sector = window.bytes.subarray(window.at(offset), window.at(sectorEndAfter(offset)));
    const refutedBy = this.#isMarked && isZero(sector) ? "mark" : "itself";
    for (let position = offset; position < window.fileBytes; ) {
      if (!window.holds(position, 1)) await window.load(position, 1);
      const rest = window.bytes.subarray(window.at(position));
      if (!isZero(rest)) return this.#end(offset, { reason: "data after a zero length", refutedBy });
      position += rest.length;
    }
    return this.#end(offset);
  }

  #end(offset: number, damage?: Damage): SegmentEnd {
    return { offset, isMarked: this.#isMarked, damage };
  }
}

/** The end of the sector that a position lies in. */
function sectorEndAfter(position: number): number {
  return (Math.floor(position / sectorBytes) + 1) * sectorBytes;
}

/** The running checksum after a record, which must be the one it claims. */
export function continuedCrc({ type, crc, data }: RawRecord, chain: Chain): number {
  if (type === recordTypes.crc) return chain.crc === 0 ? crc : chain.crc;
  return data === undefined ? chain.crc : crc32c(data, chain.crc);
}

/** What is wrong with a length field, if anything. */
function misfitOf({ recordBytes, wellFormed, frameBytes }: FrameHeader, restBytes: number): Damage | undefined {
  if (!wellFormed) return { reason: "malformed length field", refutedBy: "itself" };
  if (recordBytes > 0 && frameBytes > restBytes) return { reason: "record runs past the end", refutedBy: "record" };
  if (recordBytes > recordBytesMax) return { reason: `record of ${recordBytes} bytes`, refutedBy: "itself" };
  return undefined;
}
