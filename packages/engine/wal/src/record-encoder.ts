/**
 * @module Records as etcd writes them, straight into the append buffer: `walpb.Record` {type, crc, data} as
 * `08 type · 10 crc · 1a length data`, in a frame. The crc is the CRC-32C of the data of all records from the first
 * segment up to and including this one.
 */
import { crc32c, invariant, varintBytes } from "@conclave/base";
import { ConfState as ConfStateMessage } from "@conclave/protocol/raftpb";
import type { ConfState, Entry, HardState } from "@conclave/raft";
import { AppendBuffer } from "./append-buffer.ts";
import { frameHeaderBytes, framePadding } from "./frame.ts";
import { entryTypes, recordBytesMax, recordTypes, type WalSnapshot } from "./records.ts";

/** From the start of a frame to its crc: length field, type with its tag, tag of the crc. */
const crcOffset = frameHeaderBytes + 3;
/** The longest varint of a crc; what is not needed of it is taken out afterwards. */
const crcBytesMax = 5;
/** More than all fields of a record except the data of an entry. */
const overheadBytesMax = 96;

/** Appends records and keeps the running checksum. */
export class RecordEncoder {
  /** What was appended and not yet taken. */
  readonly buffer: AppendBuffer = new AppendBuffer();
  #crc: number;

  /** @param crc - the running checksum of the records before */
  constructor(crc = 0) {
    this.#crc = crc;
  }

  /** The running checksum of all records so far. */
  get runningCrc(): number {
    return this.#crc;
  }

  /** The checksum record that starts every segment, and every batch as its mark. */
  crc(): void {
    this.buffer.reserve(overheadBytesMax);
    const start = this.#begin(recordTypes.crc);
    this.#finish(start);
  }

  /** The metadata record that follows it. */
  metadata(metadata: Uint8Array): void {
    this.buffer.reserve(overheadBytesMax + metadata.length);
    const start = this.#begin(recordTypes.metadata);
    const data = this.#beginData(metadata.length);
    this.buffer.raw(metadata);
    this.#finish(start, data);
  }

  /** One entry (`raftpb.Entry`). */
  entry(entry: Entry): void {
    const { type, term, index, data } = entry;
    const hasData = data.length > 0;
    invariant(term > 0 && index > 0, "an entry has a term and an index", term, index);
    invariant(hasData || type === "normal", "a change of the membership has data", index);
    const bytes =
      2 + 1 + varintBytes(term) + 1 + varintBytes(index) + (hasData ? 1 + varintBytes(data.length) + data.length : 0);
    invariant(bytes + overheadBytesMax <= recordBytesMax, "an entry fits into a record", index, bytes);
    const buffer = this.buffer;
    buffer.reserve(overheadBytesMax + bytes);
    const start = this.#begin(recordTypes.entry);
    const body = this.#beginData(bytes);
    buffer.byte(0x08);
    buffer.byte(entryTypes.indexOf(type));
    buffer.byte(0x10);
    buffer.varint(term);
    buffer.byte(0x18);
    buffer.varint(index);
    if (hasData) {
      buffer.byte(0x22);
      buffer.varint(data.length);
      buffer.raw(data);
    }
    this.#finish(start, body);
  }

  /** The hard state (`raftpb.HardState`). */
  state({ term, vote, commit }: HardState): void {
    invariant(term > 0, "a hard state that is written has a term", term, vote, commit);
    const buffer = this.buffer;
    buffer.reserve(overheadBytesMax);
    const start = this.#begin(recordTypes.state);
    const body = this.#beginData(0);
    buffer.byte(0x08);
    buffer.varint(term);
    buffer.byte(0x10);
    buffer.varint64(vote);
    buffer.byte(0x18);
    buffer.varint(commit);
    // Three varints of at most ten bytes and their tags: the length is one byte, known only now.
    buffer.setByte(body - 1, buffer.length - body);
    this.#finish(start, body);
  }

  /** A snapshot (`walpb.Snapshot`). */
  snapshot({ index, term, confState }: WalSnapshot): void {
    const members = confState === undefined ? undefined : encodeConfState(confState);
    const bytes =
      2 +
      varintBytes(index) +
      varintBytes(term) +
      (members === undefined ? 0 : 1 + varintBytes(members.length) + members.length);
    const buffer = this.buffer;
    buffer.reserve(overheadBytesMax + bytes);
    const start = this.#begin(recordTypes.snapshot);
    const body = this.#beginData(bytes);
    buffer.byte(0x08);
    buffer.varint(index);
    buffer.byte(0x10);
    buffer.varint(term);
    if (members !== undefined) {
      buffer.byte(0x1a);
      buffer.varint(members.length);
      buffer.raw(members);
    }
    this.#finish(start, body);
  }

  /** Leaves room for the length field and the crc, which are known only when the data is there. */
  #begin(type: number): number {
    const buffer = this.buffer;
    const start = buffer.length;
    buffer.zeros(frameHeaderBytes);
    buffer.byte(0x08);
    buffer.byte(type);
    buffer.byte(0x10);
    buffer.zeros(crcBytesMax);
    return start;
  }

  #beginData(bytes: number): number {
    this.buffer.byte(0x1a);
    this.buffer.varint(bytes);
    return this.buffer.length;
  }

  #finish(start: number, data?: number): void {
    const buffer = this.buffer;
    if (data !== undefined) this.#crc = crc32c(buffer.view(data, buffer.length), this.#crc);
    const crcBytes = buffer.setVarint32(start + crcOffset, this.#crc);
    if (crcBytes < crcBytesMax) buffer.cut(start + crcOffset + crcBytes, crcBytesMax - crcBytes);
    const length = buffer.length - start - frameHeaderBytes;
    buffer.setUint32(start, length);
    const pad = framePadding(length);
    if (pad === 0) return;
    buffer.setByte(start + 7, 0x80 | pad);
    buffer.zeros(pad);
  }
}

function encodeConfState(confState: ConfState): Uint8Array {
  const { voters, learners, votersOutgoing, learnersNext, autoLeave } = confState;
  const message = {
    voters: [...voters],
    learners: [...learners],
    votersOutgoing: [...votersOutgoing],
    learnersNext: [...learnersNext],
    autoLeave,
  };
  return ConfStateMessage.encode(message).finish();
}
