/**
 * @module Reads the records of one segment up to the end of its used part, or to where it makes no sense any more.
 */
import { crc32c } from "@conclave/base";
import type { File } from "./file-system.ts";
import { MalformedError } from "./proto-reader.ts";
import { ReadWindow } from "./read-window.ts";
import {
  decodeRecord,
  type FrameHeader,
  frameHeaderBytes,
  parseRecord,
  type RawRecord,
  readFrameHeader,
} from "./record-decoder.ts";
import { recordBytesMax, recordTypes, type WalRecord } from "./records.ts";

/** The unit in which a disk is taken to write: each is there as a whole or not at all. */
const sectorBytes = 512;

/** The running checksum while reading. 0: nothing was read yet, so the first checksum record is believed. */
export interface Chain {
  /** CRC-32C of the data of all records so far. */
  crc: number;
}

/** Where the good records of a segment end, and how. */
export type SegmentEnd =
  | { readonly kind: "clean"; readonly offset: number }
  | {
      readonly kind: "damaged";
      /** The end of the last good record. */
      readonly offset: number;
      /** What is wrong with what follows. */
      readonly reason: string;
      /** Whether a write that a crash has cut short could look like this. */
      readonly looksTorn: boolean;
    };

/**
 * Reads a segment from its start.
 *
 * @param chain - the running checksum; moves on with every good record
 * @param visit - is given each good record; may throw {@link MalformedError} to refuse it
 */
export async function readSegment(
  file: File,
  fileBytes: number,
  chain: Chain,
  visit: (record: WalRecord) => void,
): Promise<SegmentEnd> {
  const window = new ReadWindow(file, fileBytes);
  for (let offset = 0; ; ) {
    if (fileBytes - offset < frameHeaderBytes) return endOfFile(window, offset);
    if (!window.holds(offset, frameHeaderBytes)) await window.load(offset, frameHeaderBytes);
    const header = readFrameHeader(window.bytes, window.at(offset));
    const misfit = misfitOf(header, fileBytes - offset);
    if (misfit !== undefined) return { kind: "damaged", offset, ...misfit };
    if (header.recordBytes === 0) return endOfUsedPart(window, offset);
    if (!window.holds(offset, header.frameBytes)) await window.load(offset, header.frameBytes);
    const damage = readRecord(window, offset, header, chain, visit);
    if (damage !== undefined) return { kind: "damaged", offset, ...damage };
    offset += header.frameBytes;
  }
}

type Damage = Pick<SegmentEnd & { kind: "damaged" }, "reason" | "looksTorn">;

/** What is wrong with a length field, if anything. */
function misfitOf({ recordBytes, wellFormed, frameBytes }: FrameHeader, restBytes: number): Damage | undefined {
  if (!wellFormed) return { reason: "malformed length field", looksTorn: false };
  if (frameBytes > restBytes && recordBytes > 0) return { reason: "record runs past the end", looksTorn: true };
  if (recordBytes > recordBytesMax) return { reason: `record of ${recordBytes} bytes`, looksTorn: false };
  return undefined;
}

/** Takes one record in; returns what is wrong with it, if anything. */
function readRecord(
  window: ReadWindow,
  offset: number,
  header: FrameHeader,
  chain: Chain,
  visit: (record: WalRecord) => void,
): Damage | undefined {
  const start = window.at(offset) + frameHeaderBytes;
  const end = start + header.recordBytes;
  const raw = parseRecord(window.bytes, start, end);
  if (raw === undefined || raw.end !== end)
    return { reason: "malformed record", looksTorn: hasZeroSector(window, offset, header.frameBytes) };
  const crc = continuedCrc(raw, chain);
  if (crc !== raw.crc)
    return { reason: "checksum mismatch", looksTorn: hasZeroSector(window, offset, header.frameBytes) };
  try {
    visit(decodeRecord(raw));
  } catch (error) {
    if (error instanceof MalformedError) return { reason: error.message, looksTorn: false };
    throw error;
  }
  chain.crc = crc;
  return undefined;
}

/** The running checksum after a record, which must be the one it claims. */
export function continuedCrc({ type, crc, data }: RawRecord, chain: Chain): number {
  if (type === recordTypes.crc) return chain.crc === 0 ? crc : chain.crc;
  return data === undefined ? chain.crc : crc32c(data, chain.crc);
}

/** Whether a piece of the record between two sector boundaries is all zero: it never reached the disk. */
function hasZeroSector(window: ReadWindow, offset: number, frameBytes: number): boolean {
  const frameEnd = offset + frameBytes;
  for (let start = offset + frameHeaderBytes; start < frameEnd; ) {
    const end = Math.min(frameEnd, (Math.floor(start / sectorBytes) + 1) * sectorBytes);
    if (isZero(window.bytes.subarray(window.at(start), window.at(end)))) return true;
    start = end;
  }
  return false;
}

/** Fewer bytes are left than a length field takes. */
async function endOfFile(window: ReadWindow, offset: number): Promise<SegmentEnd> {
  await window.load(offset, frameHeaderBytes);
  if (isZero(window.bytes)) return { kind: "clean", offset };
  return { kind: "damaged", offset, reason: "length field cut short", looksTorn: true };
}

/** After a length of zero nothing must follow: else it is the length that is damaged. */
async function endOfUsedPart(window: ReadWindow, offset: number): Promise<SegmentEnd> {
  let position = offset;
  while (position < window.fileBytes) {
    if (!window.holds(position, 1)) await window.load(position, 1);
    const rest = window.bytes.subarray(window.at(position));
    if (!isZero(rest)) return { kind: "damaged", offset, reason: "data after a zero length", looksTorn: false };
    position += rest.length;
  }
  return { kind: "clean", offset };
}

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
