/**
 * @module The length-prefixed message of gRPC: a flag (0, or 1 for compressed), the length as four bytes, most
 * significant first, and the message.
 */

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { type Codec, encodePutReply, isPutReply } from "@conclave/protocol";
import type { PutResponse } from "@conclave/protocol/etcdserverpb";

/** Bytes before each message. */
export const prefixBytes = 5;

/** Writes the prefix of a message that is not compressed, at the start of its frame. */
function writePrefix(frame: Uint8Array, length: number = frame.length - prefixBytes): void {
  frame[0] = 0;
  frame[1] = length >>> 24;
  frame[2] = length >>> 16;
  frame[3] = length >>> 8;
  frame[4] = length;
}

/** The prefix of a message of this length that is not compressed. */
export function messagePrefix(length: number): Uint8Array {
  const prefix = Buffer.allocUnsafe(prefixBytes);
  writePrefix(prefix, length);
  return prefix;
}

/** One message, not compressed, with its prefix. The message may be given in parts, which are joined. */
export function frameMessage(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const frame = Buffer.allocUnsafe(prefixBytes + length);
  writePrefix(frame);
  let at = prefixBytes;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

const room = new Uint8Array(prefixBytes);

/** A writer keeps the memory of the largest message it wrote; one that wrote more than this is given up. */
const reusableBytes = 1024 * 1024;

/**
 * V8 keeps an array this small in its heap, from where it has to move out, with an allocation of its own, when a stream
 * takes it. A copy in Buffer's pool is cheaper.
 */
const inHeapBytes = 64;

/** In Buffer's pool. */
function allocate(bytes: number): Uint8Array {
  return Buffer.allocUnsafe(bytes);
}

/** Encodes messages with their prefix, one after the other through the same writer. */
export class FrameEncoder {
  #writer: BinaryWriter | undefined;

  /** One message, not compressed, with its prefix. */
  encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
    const short = isPutReply(codec) ? encodePutReply(message as PutResponse, prefixBytes, allocate) : undefined;
    if (short === undefined) return this.#encode(codec, message);
    writePrefix(short);
    return short;
  }

  #encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
    const writer = this.#writer ?? new BinaryWriter();
    // A message that cannot be encoded leaves a writer half-full: only one that has finished is used again.
    this.#writer = undefined;
    const bytes = codec.encode(message, writer.raw(room)).finish();
    const frame = bytes.length <= inHeapBytes ? Buffer.from(bytes) : bytes;
    writePrefix(frame);
    if (frame.length <= reusableBytes) this.#writer = writer;
    return frame;
  }
}
