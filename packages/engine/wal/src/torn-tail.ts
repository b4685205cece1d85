/**
 * @module Tells the tail that a crash has torn from damage to records that were durable.
 *
 * Only what was written after the last sync can be torn, but there sectors may be missing anywhere: the disk is free to
 * write them in any order. etcd cuts the log at any length field that points past the end and at any sector of zeros;
 * where such a thing happens in the middle, that drops records which were acknowledged. Here the log itself says what
 * was durable: every batch starts with a mark that was written after the sync of all before it. Damage with a mark
 * after it is damage to durable records; without one it is a tear.
 *
 * ```
 * mark entry [damage] entry            the batch was never synced: cut at the damage
 * mark entry [damage] entry mark ...   it was: refuse
 * ```
 *
 * A mark cannot be held against the running checksum, as it sums up what is damaged; its frame and its fields take 11
 * bytes of a certain value at a multiple of eight. A value that holds a piece of a log can look like that, too: then a
 * torn log is refused, never durable records dropped.
 *
 * In a log without marks, which an etcd wrote, the tail is given up only if no record at all after the damage is whole.
 * So it is, marks or none, where a record runs past the end of the file: no other can have been written after it.
 */

import { MalformedError } from "@conclave/base";
import { frameHeaderBytes, readFrameHeader } from "./frame.ts";
import type { ReadWindow } from "./read-window.ts";
import { decodeRecord, parseRecord } from "./record-decoder.ts";
import { recordBytesMax, recordTypes } from "./records.ts";
import { type Chain, continuedCrc, type Damage } from "./segment-reader.ts";

/** Length fields are found at multiples of this. */
const frameAlignment = 8;
/** The shortest frame: a length field, and a record with its padding. */
const frameBytesMin = 16;

/**
 * Looks for what shows that the damage is no tear: a mark or record that was written when the damaged part was durable,
 * or the damaged record itself if only its length field is wrong.
 *
 * @param window - the file
 * @param offset - where the damage starts
 * @param chain - the running checksum there
 * @param refutedBy - what the damage is refuted by if it comes after it
 * @returns what refutes it, in words, or undefined if the tail may be cut
 */
export async function findRefutation(
  window: ReadWindow,
  offset: number,
  chain: Chain,
  refutedBy: Exclude<Damage["refutedBy"], "itself">,
): Promise<string | undefined> {
  if (await isRecordWithWrongLength(window, offset, chain)) return `a record at offset ${offset}`;
  const found = await findFrameAfter(window, offset, refutedBy === "mark");
  return found === undefined ? undefined : `a ${refutedBy} at offset ${found}`;
}

/** The offset of the next whole mark, or of the next whole record of any type. */
async function findFrameAfter(window: ReadWindow, offset: number, isMark: boolean): Promise<number | undefined> {
  const { fileBytes } = window;
  for (let at = offset + frameAlignment; at + frameBytesMin <= fileBytes; at += frameAlignment) {
    if (!window.holds(at, frameBytesMin)) await window.load(at, frameBytesMin);
    if (!startsLikeRecord(window, at, isMark)) continue;
    const { recordBytes, wellFormed, frameBytes } = readFrameHeader(window.bytes, window.at(at));
    if (!wellFormed || frameBytes > fileBytes - at) continue;
    if (!window.holds(at, frameBytes)) await window.load(at, frameBytes);
    if (isWholeRecord(window, at, recordBytes)) return at;
  }
  return undefined;
}

/** Whether the tags of type and crc are in their places: saves reading far ahead for each length that is none. */
function startsLikeRecord(window: ReadWindow, offset: number, isMark: boolean): boolean {
  const at = window.at(offset) + frameHeaderBytes;
  if (window.bytes[at] !== 0x08 || window.bytes[at + 2] !== 0x10) return false;
  return !isMark || window.bytes[at + 1] === recordTypes.crc;
}

/**
 * Whether the record at the damage continues the chain if its own fields are believed rather than its length. Where the
 * length field is the end of a lost sector, the record that survives it is the mark of the torn batch and no other.
 */
async function isRecordWithWrongLength(window: ReadWindow, offset: number, chain: Chain): Promise<boolean> {
  const restBytes = window.fileBytes - offset;
  if (restBytes < frameBytesMin) return false;
  await window.load(offset, Math.min(restBytes, recordBytesMax));
  const at = window.at(offset) + frameHeaderBytes;
  const raw = parseRecord(window.bytes, at, window.bytes.length);
  if (raw === undefined || raw.type === recordTypes.crc || continuedCrc(raw, chain) !== raw.crc) return false;
  return raw.end - at !== readFrameHeader(window.bytes, window.at(offset)).recordBytes;
}

function isWholeRecord(window: ReadWindow, offset: number, recordBytes: number): boolean {
  const start = window.at(offset) + frameHeaderBytes;
  const raw = parseRecord(window.bytes, start, start + recordBytes);
  if (raw === undefined || raw.end !== start + recordBytes) return false;
  try {
    decodeRecord(raw);
    return true;
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
}
