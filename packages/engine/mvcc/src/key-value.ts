/**
 * @module The bytes of mvccpb.KeyValue, by hand, because every write encodes one and every read decodes one.
 * Fields stand in the order of their numbers and zeros are left out, as etcd writes them: HashKV is a checksum
 * over these bytes.
 *
 * ```
 * 1 key bytes   2 create_revision   3 mod_revision   4 version   5 value bytes   6 lease
 * ```
 */
import { type ByteSlab, binaryStringOf, emptyBytes, invariant } from "@conclave/base";
import type { KeyValue } from "@conclave/protocol/mvccpb";

const keyTag = 0x0a;
const createRevisionTag = 0x10;
const modRevisionTag = 0x18;
const versionTag = 0x20;
const valueTag = 0x2a;
const leaseTag = 0x30;

/** The bytes of a key-value pair, cut from a slab. */
export function encodeKeyValue(kv: KeyValue, slab: ByteSlab): Uint8Array {
  const lease = BigInt.asUintN(64, kv.lease);
  const length =
    bytesLength(kv.key) +
    varintFieldLength(kv.createRevision) +
    varintFieldLength(kv.modRevision) +
    varintFieldLength(kv.version) +
    bytesLength(kv.value) +
    (lease === 0n ? 0 : 1 + bigVarintLength(lease));
  const target = slab.take(length);
  let at = writeBytesField(target, 0, keyTag, kv.key);
  at = writeVarintField(target, at, createRevisionTag, kv.createRevision);
  at = writeVarintField(target, at, modRevisionTag, kv.modRevision);
  at = writeVarintField(target, at, versionTag, kv.version);
  at = writeBytesField(target, at, valueTag, kv.value);
  if (lease !== 0n) at = writeBigVarint(target, writeByte(target, at, leaseTag), lease);
  invariant(at === length, "the encoded length is the computed one", at, length);
  return target;
}

/** A key-value pair; its key and value are views of `bytes`. */
export function decodeKeyValue(bytes: Uint8Array): KeyValue {
  const cursor = new Cursor(bytes);
  const kv: KeyValue = {
    key: emptyBytes,
    createRevision: 0,
    modRevision: 0,
    version: 0,
    value: emptyBytes,
    lease: 0n,
  };
  while (!cursor.atEnd) readField(cursor, kv);
  return kv;
}

function readField(cursor: Cursor, kv: KeyValue): void {
  const tag = cursor.varint();
  switch (tag) {
    case keyTag:
      kv.key = cursor.bytes();
      return;
    case createRevisionTag:
      kv.createRevision = cursor.varint();
      return;
    case modRevisionTag:
      kv.modRevision = cursor.varint();
      return;
    case versionTag:
      kv.version = cursor.varint();
      return;
    case valueTag:
      kv.value = cursor.bytes();
      return;
    case leaseTag:
      kv.lease = BigInt.asIntN(64, cursor.bigVarint());
      return;
    default:
      refuseField(tag);
  }
}

function refuseField(tag: number): void {
  invariant(false, "a stored key-value pair has fields 1 to 6 only", tag);
}

/** What the index knows of a pair. */
export interface IndexedPair {
  /** The user's key, as a binary string. */
  key: string;
  /** Revision that created the key's generation; 0 for a tombstone. */
  createRevision: number;
  /** Changes since the creation, from 1; 0 for a tombstone. */
  version: number;
  /** The lease of the key; 0 if it has none. */
  lease: bigint;
}

/** What the index knows of an encoded pair, without views of what it does not: a store has millions of them. */
export function decodeIndexedPair(bytes: Uint8Array): IndexedPair {
  const cursor = new Cursor(bytes);
  const pair: IndexedPair = { key: "", createRevision: 0, version: 0, lease: 0n };
  while (!cursor.atEnd) {
    const tag = cursor.varint();
    if (tag === keyTag) pair.key = cursor.binaryString();
    else if (tag === createRevisionTag) pair.createRevision = cursor.varint();
    else if (tag === modRevisionTag) cursor.varint();
    else if (tag === versionTag) pair.version = cursor.varint();
    else if (tag === valueTag) cursor.skipBytes();
    else if (tag === leaseTag) pair.lease = BigInt.asIntN(64, cursor.bigVarint());
    else refuseField(tag);
  }
  return pair;
}

/** Encoded pairs as the fields of a message that has them in a list; the tag is of one byte. */
export function joinKeyValues(tag: number, pairs: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const pair of pairs) length += 1 + varintLength(pair.length) + pair.length;
  const fields = new Uint8Array(length);
  let at = 0;
  for (const pair of pairs) {
    at = writeVarint(fields, writeByte(fields, at, tag), pair.length);
    fields.set(pair, at);
    at += pair.length;
  }
  return fields;
}

/** The user's key of an encoded pair, a view, without decoding the rest. It is the first field. */
export function decodeKey(bytes: Uint8Array): Uint8Array {
  const cursor = new Cursor(bytes);
  return cursor.varint() === keyTag ? cursor.bytes() : emptyBytes;
}

/** Reads protobuf fields one after another. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    invariant(Number.isSafeInteger(value), "a stored counter is a safe integer", value);
    return value;
  }

  bigVarint(): bigint {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7n;
    }
  }

  /** A view of a field of bytes. */
  bytes(): Uint8Array {
    const start = this.skipBytes();
    return this.#bytes.subarray(start, this.#at);
  }

  /** A field of bytes as a binary string. */
  binaryString(): string {
    const start = this.skipBytes();
    return binaryStringOf(this.#bytes, start, this.#at);
  }

  /** Passes over a field of bytes; returns where its content starts. */
  skipBytes(): number {
    const length = this.varint();
    const start = this.#at;
    this.#at = start + length;
    invariant(this.#at <= this.#bytes.length, "a stored field ends within its pair", this.#at, this.#bytes.length);
    return start;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    invariant(byte !== undefined, "a stored pair ends on a field boundary", this.#at);
    this.#at++;
    return byte;
  }
}

function bytesLength(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : 1 + varintLength(bytes.length) + bytes.length;
}

function varintFieldLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value);
}

/** Bytes of a varint below 2^53. */
function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest /= 0x80) length++;
  return length;
}

function bigVarintLength(value: bigint): number {
  let length = 1;
  for (let rest = value; rest >= 0x80n; rest >>= 7n) length++;
  return length;
}

function writeByte(target: Uint8Array, at: number, byte: number): number {
  target[at] = byte;
  return at + 1;
}

function writeVarint(target: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[at++] = (rest % 0x80) | 0x80;
  target[at++] = rest;
  return at;
}

function writeBigVarint(target: Uint8Array, start: number, value: bigint): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) target[at++] = Number(rest & 0x7fn) | 0x80;
  target[at++] = Number(rest);
  return at;
}

function writeVarintField(target: Uint8Array, at: number, tag: number, value: number): number {
  return value === 0 ? at : writeVarint(target, writeByte(target, at, tag), value);
}

function writeBytesField(target: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return at;
  const start = writeVarint(target, writeByte(target, at, tag), bytes.length);
  target.set(bytes, start);
  return start + bytes.length;
}
