/**
 * @module `raftpb.Message` by hand. Fields are written as etcd up to 3.6 writes them, zeros included; a snapshot only
 * in `MsgSnap`, as since 3.6 (older members write an empty one into every message, and take it if there is none).
 * `vote` and `responses` belong to threads inside a process and are left out, and passed over when read.
 */
import { emptyBytes, MalformedError, ProtoReader, varintBytes } from "@conclave/base";
import { decodeStrict } from "@conclave/protocol";
import { Snapshot as SnapshotMessage } from "@conclave/protocol/raftpb";
import type { ConfState, Entry, Message, MessageType, Snapshot } from "@conclave/raft";
import { decodeEntry, entryBytes, writeEntry } from "./entry-codec.ts";
import { FrameWriter } from "./frame-writer.ts";

/** The types of messages, in the order of their numbers; those that are missing never travel. */
const messageTypes: readonly (MessageType | undefined)[] = [
  "MsgHup",
  "MsgBeat",
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  undefined,
  undefined,
  undefined,
  undefined,
  "MsgForgetLeader",
];

const messageNumbers: ReadonlyMap<MessageType, number> = new Map(
  messageTypes.flatMap((type, number) => (type === undefined ? [] : [[type, number]])),
);

/** More than the fields of a message take that are of no variable length. */
const fixedBytesMax = 112;
/** More than an entry takes beside its data. */
const entryOverheadBytesMax = 40;

/** At most how many bytes a message takes. */
export function messageBytesMax({ entries, context, snapshot }: Message): number {
  let bytes = fixedBytesMax + context.length;
  for (const entry of entries) bytes += entryOverheadBytesMax + entry.data.length;
  if (snapshot !== undefined) bytes += snapshot.data.length;
  return bytes;
}

/** The bytes of a message. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new FrameWriter(messageBytesMax(message));
  writeMessage(writer, message);
  return writer.finish();
}

/** Writes a message and makes room for it. */
export function writeMessage(writer: FrameWriter, message: Message): void {
  writer.reserve(messageBytesMax(message));
  writer.byte(0x08);
  writer.byte(messageNumbers.get(message.type) ?? 0);
  writer.byte(0x10);
  writer.varint64(message.to);
  writer.byte(0x18);
  writer.varint64(message.from);
  writer.byte(0x20);
  writer.varint(message.term);
  writer.byte(0x28);
  writer.varint(message.logTerm);
  writer.byte(0x30);
  writer.varint(message.index);
  for (const entry of message.entries) {
    writer.byte(0x3a);
    writer.varint(entryBytes(entry));
    writeEntry(writer, entry);
  }
  writer.byte(0x40);
  writer.varint(message.commit);
  if (message.type === "MsgSnap" && message.snapshot !== undefined) writeSnapshot(writer, message.snapshot);
  writer.byte(0x50);
  writer.byte(message.reject ? 1 : 0);
  writer.byte(0x58);
  writer.varint(message.rejectHint);
  if (message.context.length === 0) return;
  writer.byte(0x62);
  writer.varint(message.context.length);
  writer.raw(message.context);
}

function writeSnapshot(writer: FrameWriter, { data, metadata }: Snapshot): void {
  const { index, term, confState } = metadata;
  const { voters, learners, votersOutgoing, learnersNext, autoLeave } = confState;
  const members = {
    voters: [...voters],
    learners: [...learners],
    votersOutgoing: [...votersOutgoing],
    learnersNext: [...learnersNext],
    autoLeave,
  };
  const bytes = SnapshotMessage.encode({ data, metadata: { confState: members, index, term } }).finish();
  writer.reserve(1 + varintBytes(bytes.length) + bytes.length + fixedBytesMax);
  writer.byte(0x4a);
  writer.varint(bytes.length);
  writer.raw(bytes);
}

/** The fields of a message while they are being read. */
interface Fields {
  typeNumber: number;
  to: bigint;
  from: bigint;
  term: number;
  logTerm: number;
  index: number;
  entries: Entry[];
  commit: number;
  snapshot: Uint8Array | undefined;
  reject: boolean;
  rejectHint: number;
  context: Uint8Array;
}

/**
 * Reads a message. The data of its entries and its context are views of the bytes.
 *
 * @throws {@link MalformedError} if they are none
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new ProtoReader(bytes);
  const fields: Fields = {
    typeNumber: 0,
    to: 0n,
    from: 0n,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: emptyBytes,
  };
  while (!reader.done) readField(reader, fields);
  const { typeNumber, snapshot, ...rest } = fields;
  const type = messageTypes[typeNumber];
  if (type === undefined) throw new MalformedError(`a message has the unknown type ${typeNumber}`);
  // Older members put an empty snapshot into every message; only in MsgSnap it means anything.
  const taken = type === "MsgSnap" && snapshot !== undefined ? decodeSnapshot(snapshot) : undefined;
  return { type, ...rest, snapshot: taken };
}

function readField(reader: ProtoReader, fields: Fields): void {
  const tag = reader.varint();
  switch (tag) {
    case 0x08:
      fields.typeNumber = reader.varint();
      break;
    case 0x10:
      fields.to = reader.varint64();
      break;
    case 0x18:
      fields.from = reader.varint64();
      break;
    case 0x20:
      fields.term = reader.varint();
      break;
    case 0x28:
      fields.logTerm = reader.varint();
      break;
    case 0x30:
      fields.index = reader.varint();
      break;
    case 0x3a:
      fields.entries.push(decodeEntry(reader.bytes()));
      break;
    case 0x40:
      fields.commit = reader.varint();
      break;
    case 0x4a:
      fields.snapshot = reader.bytes();
      break;
    case 0x50:
      fields.reject = reader.varint() !== 0;
      break;
    case 0x58:
      fields.rejectHint = reader.varint();
      break;
    case 0x62:
      fields.context = reader.bytes();
      break;
    default:
      if (tag >>> 3 <= 12) throw new MalformedError(`a message has the tag ${tag}`);
      reader.skip(tag);
  }
}

function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const { data = emptyBytes, metadata } = decodeGenerated(bytes);
  return {
    data,
    metadata: {
      index: metadata?.index ?? 0,
      term: metadata?.term ?? 0,
      confState: toConfState(metadata?.confState),
    },
  };
}

function decodeGenerated(bytes: Uint8Array): SnapshotMessage {
  try {
    return decodeStrict(SnapshotMessage, bytes);
  } catch (cause) {
    throw new MalformedError("a snapshot is malformed", { cause });
  }
}

function toConfState(members: NonNullable<SnapshotMessage["metadata"]>["confState"]): ConfState {
  return {
    voters: members?.voters ?? [],
    learners: members?.learners ?? [],
    votersOutgoing: members?.votersOutgoing ?? [],
    learnersNext: members?.learnersNext ?? [],
    autoLeave: members?.autoLeave ?? false,
  };
}
