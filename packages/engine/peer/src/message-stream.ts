/**
 * @module The stream for all kinds of messages: `uint64 length · raftpb.Message`, again and again. A heartbeat from
 * nobody to nobody keeps it alive.
 */
import { createMessage, type Message } from "@conclave/raft";
import type { FrameWriter } from "./frame-writer.ts";
import { decodeMessage, messageBytesMax, writeMessage } from "./message-codec.ts";
import { type FrameParser, readLength, StreamDecoder, type StreamEncoder } from "./stream-codec.ts";

const linkHeartbeat = createMessage({ type: "MsgHeartbeat", to: 0n, from: 0n }, {});

/** Writes the frames of a message stream. */
export const messageStreamEncoder: StreamEncoder = {
  message: writeMessageFrame,
  keepAlive: (writer) => writeMessageFrame(writer, linkHeartbeat),
};

/** Writes a message with its length before it. */
export function writeMessageFrame(writer: FrameWriter, message: Message): void {
  writer.reserve(8 + messageBytesMax(message));
  const lengthAt = writer.skipUint64();
  writeMessage(writer, message);
  writer.setUint64(lengthAt, writer.length - lengthAt - 8);
}

/** Reads a message stream. */
export function messageStreamDecoder(options: {
  /** Takes each message. */
  readonly onMessage: (message: Message) => void;
  /** Larger messages are refused. */
  readonly bytesMax: number;
}): StreamDecoder {
  return new StreamDecoder(parse(options));
}

function* parse(options: { readonly onMessage: (message: Message) => void; readonly bytesMax: number }): FrameParser {
  for (;;) {
    const length = readLength(yield 8, options.bytesMax);
    const message = decodeMessage(yield length);
    if (!isLinkHeartbeat(message)) options.onMessage(message);
  }
}

function isLinkHeartbeat({ type, from, to }: Message): boolean {
  return type === "MsgHeartbeat" && from === 0n && to === 0n;
}
