/**
 * @module Reads records. The checksum covers the data of a record but not its type, so the content is
 * held to more than its syntax: what no etcd and no Conclave ever writes is refused.
 */
import { emptyBytes, MalformedError, ProtoReader } from "@conclave/base";
import { ConfState as ConfStateMessage } from "@conclave/protocol/raftpb";
import type { ConfState, Entry, HardState } from "@conclave/raft";
import { entryTypes, recordTypes, type WalRecord, type WalSnapshot } from "./records.ts";

/** A record whose data was not looked at. */
export interface RawRecord {
  /** One of {@link recordTypes}. */
  readonly type: number;
  /** The running checksum it claims. */
  readonly crc: number;
  /** Its data, as a view; a checksum record has none. */
  readonly data: Uint8Array | undefined;
  /** Where the record ends. */
  readonly end: number;
}

/**
 * The record that starts at an offset, found by its own fields alone: `08 type · 10 crc · 1a length data`.
 *
 * @param limit - where the bytes end that may belong to it
 * @returns undefined if there is none
 */
export function parseRecord(bytes: Uint8Array, at: number, limit: number): RawRecord | undefined {
  const type = bytes[at + 1] ?? 0;
  if (bytes[at] !== 0x08 || type < recordTypes.metadata || type > recordTypes.snapshot || bytes[at + 2] !== 0x10)
    return undefined;
  try {
    const reader = new ProtoReader(bytes.subarray(at + 3, limit));
    const crc = reader.varint();
    if (crc > 0xffff_ffff) return undefined;
    if (type === recordTypes.crc) return { type, crc, data: undefined, end: at + 3 + reader.position };
    if (reader.varint() !== 0x1a) return undefined;
    const data = reader.bytes();
    return { type, crc, data, end: at + 3 + reader.position };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/**
 * What a record says. The data of an entry is a view of the record's bytes: there may be gigabytes of it, and copying them
 * would take as long as reading them. Nothing else shares memory with the record.
 *
 * @throws {@link MalformedError} if its data is not what its type says
 */
export function decodeRecord({ type, crc, data = emptyBytes }: RawRecord): WalRecord {
  switch (type) {
    case recordTypes.metadata:
      return { kind: "metadata", metadata: data.slice() };
    case recordTypes.entry:
      return { kind: "entry", entry: decodeEntry(data) };
    case recordTypes.state:
      return { kind: "state", hardState: decodeHardState(data) };
    case recordTypes.snapshot:
      return { kind: "snapshot", snapshot: decodeSnapshot(data) };
    default:
      return { kind: "crc", crc };
  }
}

function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new ProtoReader(bytes);
  let [typeNumber, term, index, data] = [0, 0, 0, emptyBytes];
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === 0x08) typeNumber = reader.varint();
    else if (tag === 0x10) term = reader.varint();
    else if (tag === 0x18) index = reader.varint();
    else if (tag === 0x22) data = reader.bytes();
    else throw unknownField("entry", tag);
  }
  const type = entryTypes[typeNumber];
  if (type === undefined) throw new MalformedError(`entry of unknown type ${typeNumber}`);
  if (term === 0 || index === 0) throw new MalformedError("entry without term or index");
  if (type !== "normal" && data.length === 0) throw new MalformedError("change of the membership without data");
  return { type, term, index, data };
}

function decodeHardState(bytes: Uint8Array): HardState {
  const reader = new ProtoReader(bytes);
  let [term, vote, commit] = [0, 0n, 0];
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === 0x08) term = reader.varint();
    else if (tag === 0x10) vote = reader.varint64();
    else if (tag === 0x18) commit = reader.varint();
    else throw unknownField("hard state", tag);
  }
  if (term === 0) throw new MalformedError("hard state without a term");
  return { term, vote, commit };
}

function decodeSnapshot(bytes: Uint8Array): WalSnapshot {
  const reader = new ProtoReader(bytes);
  let [index, term] = [0, 0];
  let confState: ConfState | undefined;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === 0x08) index = reader.varint();
    else if (tag === 0x10) term = reader.varint();
    else if (tag === 0x1a) confState = decodeConfState(reader.bytes());
    else throw unknownField("snapshot", tag);
  }
  if ((index === 0) !== (term === 0)) throw new MalformedError("snapshot with only one of index and term");
  return { index, term, confState };
}

function decodeConfState(bytes: Uint8Array): ConfState {
  try {
    const { voters, learners, votersOutgoing, learnersNext, autoLeave } = ConfStateMessage.decode(bytes);
    return { voters, learners, votersOutgoing, learnersNext, autoLeave: autoLeave ?? false };
  } catch (error) {
    throw new MalformedError("malformed membership", { cause: error });
  }
}

function unknownField(message: string, tag: number): MalformedError {
  return new MalformedError(`unknown field ${tag >>> 3} in a ${message}`);
}
