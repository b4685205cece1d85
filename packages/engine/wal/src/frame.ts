/**
 * @module The frame around a record.
 *
 * ```
 * length field, 8 bytes LE   low 56 bits: record length n; top byte: 0, or 0x80 | pad if n % 8 is not 0
 * walpb.Record, n bytes
 * zeros, pad bytes           pad = 8 - n % 8
 * ```
 */

/** Bytes of the length field that starts a frame. */
export const frameHeaderBytes = 8;

/** How many zero bytes follow a record of so many bytes. */
export function framePadding(length: number): number {
  return -length & 7;
}

/** The length field of a frame: the record's length and the padding after it. */
export interface FrameHeader {
  /** Bytes of the record; 0 at the end of the used part of a file. */
  readonly recordBytes: number;
  /** Whether the padding is the one that belongs to that length. */
  readonly wellFormed: boolean;
  /** Bytes of the whole frame. */
  readonly frameBytes: number;
}

/** Reads the length field at an offset; the eight bytes must be there. */
export function readFrameHeader(bytes: Uint8Array, at: number): FrameHeader {
  let recordBytes = 0;
  for (let byte = 6; byte >= 0; byte--) recordBytes = recordBytes * 0x100 + (bytes[at + byte] ?? 0);
  const pad = framePadding(recordBytes);
  return {
    recordBytes,
    wellFormed: bytes[at + 7] === (pad === 0 ? 0 : 0x80 | pad),
    frameBytes: frameHeaderBytes + recordBytes + pad,
  };
}
