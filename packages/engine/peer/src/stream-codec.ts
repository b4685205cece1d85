/** @module What both streams between members have in common: frames, read from chunks of any size. */
import { MalformedError } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { ChunkQueue } from "./chunk-queue.ts";
import type { FrameWriter } from "./frame-writer.ts";

/** Writes the frames of one stream. */
export interface StreamEncoder {
  /** Writes a message and makes room for it. */
  message(writer: FrameWriter, message: Message): void;
  /** Writes the frame that only says that the writer is there. */
  keepAlive(writer: FrameWriter): void;
}

/** Asks for so many bytes, gets them, and goes on like that for ever. */
export type FrameParser = Generator<number, never, Uint8Array>;

/** Reads the frames of one stream. */
export class StreamDecoder {
  readonly #chunks = new ChunkQueue();
  readonly #parser: FrameParser;
  #wanted: number;

  constructor(parser: FrameParser) {
    this.#parser = parser;
    this.#wanted = parser.next().value;
  }

  /**
   * Takes what was received.
   *
   * @throws {@link MalformedError} if it is no frame; nothing can be read any more
   */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    for (let bytes = this.#chunks.take(this.#wanted); bytes !== undefined; bytes = this.#chunks.take(this.#wanted))
      this.#wanted = this.#parser.next(bytes).value;
  }
}

/**
 * Reads a big-endian uint64.
 *
 * @throws {@link MalformedError} if it is no safe integer
 */
export function readUint64(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const value = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  if (!Number.isSafeInteger(value)) throw new MalformedError("a number is above 2^53");
  return value;
}

/**
 * Reads the length of what follows.
 *
 * @throws {@link MalformedError} if it is above the limit
 */
export function readLength(bytes: Uint8Array, limit: number): number {
  const length = readUint64(bytes);
  if (length > limit) throw new MalformedError(`a frame of ${length} bytes is larger than the ${limit} that are taken`);
  return length;
}
