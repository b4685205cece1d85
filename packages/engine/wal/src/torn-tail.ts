/**
 * @module Tells the tail that a crash has torn from damage to records that were durable.
 *
 * Only the last batch can be torn, so nothing whole follows a tear. etcd cuts the log at any length field that
 * points past the end and at any sector of zeros; where such a thing happens in the middle, that drops records
 * which were acknowledged. Here the tail is given up only if no record after the damage is whole.
 */

import { frameHeaderBytes, readFrameHeader } from "./frame.ts";
import { MalformedError } from "./proto-reader.ts";
import type { ReadWindow } from "./read-window.ts";
import { decodeRecord, parseRecord } from "./record-decoder.ts";
import { recordBytesMax } from "./records.ts";
import { type Chain, continuedCrc } from "./segment-reader.ts";

/** Length fields are found at multiples of this. */
const frameAlignment = 8;
/** The shortest frame: a length field, and a record with its padding. */
const frameBytesMin = 16;

/**
 * Looks for a record that was written after the damage, or for the damaged one itself if only its length field
 * is wrong.
 *
 * @param window - the file
 * @param offset - where the damage starts
 * @param chain - the running checksum there
 * @returns the offset of the record, or undefined if the tail may be cut
 */
export async function findRecordAfter(window: ReadWindow, offset: number, chain: Chain): Promise<number | undefined> {
  const { fileBytes } = window;
  if (await isRecordWithWrongLength(window, offset, chain)) return offset;
  for (let at = offset + frameAlignment; at + frameBytesMin <= fileBytes; at += frameAlignment) {
    if (!window.holds(at, frameBytesMin)) await window.load(at, frameBytesMin);
    if (!startsLikeRecord(window, at)) continue;
    const { recordBytes, wellFormed, frameBytes } = readFrameHeader(window.bytes, window.at(at));
    if (!wellFormed || frameBytes > fileBytes - at) continue;
    if (!window.holds(at, frameBytes)) await window.load(at, frameBytes);
    if (isWholeRecord(window, at, recordBytes)) return at;
  }
  return undefined;
}

/** Whether the tags of type and crc are in their places: saves reading far ahead for each length that is none. */
function startsLikeRecord(window: ReadWindow, offset: number): boolean {
  const at = window.at(offset) + frameHeaderBytes;
  return window.bytes[at] === 0x08 && window.bytes[at + 2] === 0x10;
}

/** Whether the record at the damage continues the chain if its own fields are believed rather than its length. */
async function isRecordWithWrongLength(window: ReadWindow, offset: number, chain: Chain): Promise<boolean> {
  await window.load(offset, Math.min(window.fileBytes - offset, recordBytesMax));
  if (window.bytes.length < frameBytesMin) return false;
  const at = window.at(offset) + frameHeaderBytes;
  const raw = parseRecord(window.bytes, at, window.bytes.length);
  if (raw === undefined || continuedCrc(raw, chain) !== raw.crc) return false;
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
