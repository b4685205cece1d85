/**
 * @module The stream for appends (etcd's "msgapp v2"). Most appends go on where the one before has ended, in the same
 * term; of those only the entries travel. Both ends keep the position:
 *
 *     0                                                    keep-alive
 *     1 · count · (length · raftpb.Entry)* · commit        entries right behind the position, all in its term
 *     2 · length · raftpb.Message                          any append; sets the position
 *
 * Numbers are big-endian uint64.
 */
import { MalformedError } from "@conclave/base";
import { createMessage, type Entry, type Message } from "@conclave/raft";
import { decodeEntry, entryBytes, writeEntry } from "./entry-codec.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { decodeMessage } from "./message-codec.ts";
import { writeMessageFrame } from "./message-stream.ts";
import { type FrameParser, readLength, readUint64, StreamDecoder, type StreamEncoder } from "./stream-codec.ts";

const keepAliveFrame = 0;
const entriesFrame = 1;
const messageFrame = 2;

/** Where a stream stands: behind the entry of this index, in this term. */
interface Position {
  readonly term: number;
  readonly index: number;
}

const start: Position = { term: 0, index: 0 };

function positionAfter({ term, index, entries }: Message): Position {
  return { term, index: entries.at(-1)?.index ?? index };
}

/** Writes the frames of an append stream, from its beginning on. */
export class AppendStreamEncoder implements StreamEncoder {
  #position = start;

  message(writer: FrameWriter, message: Message): void {
    const { term, index } = this.#position;
    const continues = message.index === index && message.logTerm === term && message.term === term;
    writer.reserve(17);
    writer.byte(continues ? entriesFrame : messageFrame);
    if (continues) writeEntries(writer, message);
    else writeMessageFrame(writer, message);
    this.#position = positionAfter(message);
  }

  keepAlive(writer: FrameWriter): void {
    writer.reserve(1);
    writer.byte(keepAliveFrame);
  }
}

function writeEntries(writer: FrameWriter, { entries, commit }: Message): void {
  writer.uint64(entries.length);
  for (const entry of entries) {
    const bytes = entryBytes(entry);
    // The second eight bytes are for the commit index, in case this is the last one.
    writer.reserve(8 + bytes + 8);
    writer.uint64(bytes);
    writeEntry(writer, entry);
  }
  writer.uint64(commit);
}

/** What an append stream must know to read. */
export interface AppendStreamOptions {
  /** The member that writes. */
  readonly from: bigint;
  /** The member that reads. */
  readonly to: bigint;
  /** Takes each append. */
  readonly onMessage: (message: Message) => void;
  /** Larger appends are refused. */
  readonly bytesMax: number;
}

/** Reads an append stream, from its beginning on. */
export function appendStreamDecoder(options: AppendStreamOptions): StreamDecoder {
  return new StreamDecoder(parse(options));
}

function* parse(options: AppendStreamOptions): FrameParser {
  let position = start;
  for (;;) {
    const [kind] = yield 1;
    if (kind === keepAliveFrame) continue;
    const message =
      kind === entriesFrame ? yield* parseEntries(position, options) : yield* parseMessage(kind, options.bytesMax);
    position = positionAfter(message);
    options.onMessage(message);
  }
}

function* parseMessage(kind: number | undefined, bytesMax: number): Generator<number, Message, Uint8Array> {
  if (kind !== messageFrame) throw new MalformedError(`a frame has the unknown kind ${kind}`);
  const length = readLength(yield 8, bytesMax);
  const message = decodeMessage(yield length);
  if (message.type !== "MsgApp") throw new MalformedError(`a stream for appends carries a ${message.type}`);
  return message;
}

function* parseEntries(
  { term, index }: Position,
  { from, to, bytesMax }: AppendStreamOptions,
): Generator<number, Message, Uint8Array> {
  const count = readUint64(yield 8);
  const entries: Entry[] = [];
  let bytesLeft = bytesMax;
  while (entries.length < count) {
    const length = readLength(yield 8, bytesLeft);
    bytesLeft -= 8 + length;
    entries.push(decodeEntry(yield length));
  }
  const commit = readUint64(yield 8);
  return createMessage({ type: "MsgApp", to, from }, { term, logTerm: term, index, entries, commit });
}
