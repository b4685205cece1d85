/** @module The compressed header fields of requests, put together from their frames and read. */
import type { HeaderFields } from "../transport.ts";
import { ConnectionError, errorCodes } from "./error-code.ts";
import { type Frame, flags } from "./frame.ts";
import { CompressionError, HpackDecoder } from "./hpack/decoder.ts";
import { tableBytesDefault } from "./hpack/encoder.ts";
import { RequestFields } from "./request-fields.ts";

/** The most that the fields of a request may take, as RFC 9113 §6.5.2 counts them; also of the bytes that hold them. */
export const fieldsBytesMax: number = 64 * 1024;

/** Frames that one block may be cut into. */
const framesMax = 64;

/** A block this short, of fields that are all in the tables, is likely to come again. */
const rememberedBytesMax = 64;
const rememberedMax = 16;

/** What a block says. */
export type RequestBlock =
  | {
      readonly kind: "request";
      /** The fields. */
      readonly fields: HeaderFields;
    }
  | {
      /** There are more fields than are looked at. */
      readonly kind: "too long";
    }
  | {
      /** The fields make no request (RFC 9113 §8.1.1). */
      readonly kind: "malformed";
    };

/** A block and what its first frame says. */
export interface HeaderBlock {
  /** The stream. */
  readonly streamId: number;
  /** Whether nothing follows. */
  readonly isEnd: boolean;
  /** The compressed fields. */
  readonly block: Buffer;
}

interface OpenBlock {
  readonly streamId: number;
  readonly isEnd: boolean;
  readonly pieces: Buffer[];
  bytes: number;
}

/** Puts the frames of one block together; nothing else may come between them (RFC 9113 §6.10). */
export class BlockAssembler {
  #open: OpenBlock | undefined;

  /** Whether a block has begun whose end has not come. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /**
   * Takes a HEADERS frame.
   *
   * @returns the block, if that was all of it
   */
  begin(frame: Frame): HeaderBlock | undefined {
    const { streamId } = frame;
    const isEnd = (frame.flags & flags.endStream) !== 0;
    const block = fragmentOf(frame);
    if ((frame.flags & flags.endHeaders) !== 0) return { streamId, isEnd, block };
    this.#open = { streamId, isEnd, pieces: [block], bytes: block.length };
    return undefined;
  }

  /**
   * Takes a CONTINUATION frame.
   *
   * @returns the block, if that was the end of it
   * @throws ConnectionError if it continues nothing, or without end
   */
  continue(frame: Frame): HeaderBlock | undefined {
    const open = this.#open;
    if (open === undefined || frame.streamId !== open.streamId)
      throw new ConnectionError(errorCodes.protocolError, "CONTINUATION of nothing");
    open.bytes += frame.payload.length;
    if (open.pieces.push(frame.payload) > framesMax || open.bytes > fieldsBytesMax)
      throw new ConnectionError(errorCodes.enhanceYourCalm, "header fields without end");
    if ((frame.flags & flags.endHeaders) === 0) return undefined;
    this.#open = undefined;
    return { streamId: open.streamId, isEnd: open.isEnd, block: Buffer.concat(open.pieces, open.bytes) };
  }
}

/** The part of a block that a HEADERS frame holds: what is left without padding and priority. */
function fragmentOf({ flags: bits, payload }: Frame): Buffer {
  const isPadded = (bits & flags.padded) !== 0;
  const start = (isPadded ? 1 : 0) + ((bits & flags.priority) === 0 ? 0 : 5);
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0);
  if (start > payload.length) throw new ConnectionError(errorCodes.frameSizeError, "HEADERS too short");
  if (end < start) throw new ConnectionError(errorCodes.protocolError, "padding longer than its frame");
  return payload.subarray(start, end);
}

/** Reads blocks. Every block must be read, in order, as later ones build on it. */
export class BlockReader {
  readonly #decoder = new HpackDecoder(tableBytesDefault);
  readonly #remembered = new Map<string, RequestBlock>();

  /** @throws ConnectionError if the block makes no sense */
  read(block: Buffer): RequestBlock {
    const key = block.length <= rememberedBytesMax ? block.toString("latin1") : undefined;
    const known = key === undefined ? undefined : this.#remembered.get(key);
    if (known !== undefined) return known;
    const before = this.#decoder.changes;
    const read = this.#decode(block);
    if (this.#decoder.changes !== before) this.#remembered.clear();
    else if (key !== undefined && this.#remembered.size < rememberedMax) this.#remembered.set(key, read);
    return read;
  }

  #decode(block: Buffer): RequestBlock {
    const collected = new RequestFields(fieldsBytesMax);
    try {
      this.#decoder.decode(block, (field) => collected.add(field));
    } catch (error) {
      if (error instanceof CompressionError) throw new ConnectionError(errorCodes.compressionError, error.message);
      throw error;
    }
    if (collected.isTooLong) return { kind: "too long" };
    const fields = collected.finish();
    return fields === undefined ? { kind: "malformed" } : { kind: "request", fields };
  }
}
