/**
 * @module Writes as clients send them. They keep the bytes they came in, so that these need not be made again for the
 * log; and puts, nearly all of a busy server's writes, are read by hand.
 *
 * Bytes are kept only if everyone reads them alike, whatever version he is of: they have no field that is not known
 * here, none twice, and all in ascending order, as every encoder writes them.
 */
import { varintBytes } from "@conclave/base";
import { checkStructure, decodeChecked, decodeStrict } from "./decode-strict.ts";
import { PutRequest, TxnRequest } from "./gen/etcdserverpb/rpc.ts";
import type { Codec } from "./services.ts";

/** A put as it came. A copy of it is an ordinary request, and does not claim those bytes for its own. */
class ReceivedPut implements PutRequest {
  readonly #bytes: Uint8Array;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: bigint;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;

  constructor(bytes: Uint8Array, { key, value, lease, prevKv, ignoreValue, ignoreLease }: PutRequest) {
    this.#bytes = bytes;
    this.key = key;
    this.value = value;
    this.lease = lease;
    this.prevKv = prevKv;
    this.ignoreValue = ignoreValue;
    this.ignoreLease = ignoreLease;
  }

  static bytesOf(request: object): Uint8Array | undefined {
    return #bytes in request ? request.#bytes : undefined;
  }
}

/** A transaction as it came. */
class ReceivedTxn implements TxnRequest {
  readonly #bytes: Uint8Array;
  readonly compare: TxnRequest["compare"];
  readonly success: TxnRequest["success"];
  readonly failure: TxnRequest["failure"];

  constructor(bytes: Uint8Array, { compare, success, failure }: TxnRequest) {
    this.#bytes = bytes;
    this.compare = compare;
    this.success = success;
    this.failure = failure;
  }

  static bytesOf(request: object): Uint8Array | undefined {
    return #bytes in request ? request.#bytes : undefined;
  }
}

/**
 * Reads a request as {@link decodeStrict} does. A put or a transaction may keep its bytes, which must not change
 * afterwards, nor may the request.
 *
 * @throws {@link DecodeError} if the bytes are no message of this type
 */
export function decodeReceived<Message>(codec: Codec<Message>, bytes: Uint8Array): Message {
  switch (codec.$type) {
    case PutRequest.$type:
      return (readPlainPut(bytes) ?? keeping(ReceivedPut, PutRequest, bytes)) as Message;
    case TxnRequest.$type:
      return keeping(ReceivedTxn, TxnRequest, bytes) as Message;
    default:
      return decodeStrict(codec, bytes);
  }
}

function keeping<Message>(
  Received: new (bytes: Uint8Array, request: Message) => Message,
  codec: Codec<Message>,
  bytes: Uint8Array,
): Message {
  const isPlain = checkStructure(codec, bytes);
  const request = decodeChecked(codec, bytes);
  return isPlain ? new Received(bytes, request) : request;
}

/** The bytes that a request was read from, if it kept them. They are an encoding of it. */
export function receivedBytes(request: object): Uint8Array | undefined {
  return ReceivedPut.bytesOf(request) ?? ReceivedTxn.bytesOf(request);
}

const keyTag = 0x0a;
const valueTag = 0x12;

/** Reads a put of a key and a value, as most are; undefined if it is anything else. */
function readPlainPut(bytes: Uint8Array): PutRequest | undefined {
  const key = readField(bytes, 0, keyTag);
  if (key === undefined) return undefined;
  const keyEnd = fieldBytes(key);
  const value = readField(bytes, keyEnd, valueTag);
  if (value === undefined || keyEnd + fieldBytes(value) < bytes.length) return undefined;
  return new ReceivedPut(bytes, { key, value, ...noOptions });
}

const noOptions = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };

/** The content of a field of bytes at some place; undefined if there is none with this tag, or not all of it. */
function readField(bytes: Uint8Array, at: number, tag: number): Uint8Array | undefined {
  if (bytes[at] !== tag) return undefined;
  let length = 0;
  let start = at + 1;
  // Three bytes of length say all that a request may be long.
  for (let shift = 0; shift <= 14; shift += 7) {
    const byte = bytes[start++];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
    if (shift === 14) return undefined;
  }
  const isShortest = start === at + 1 + varintBytes(length);
  return isShortest && length > 0 && start + length <= bytes.length ? bytes.subarray(start, start + length) : undefined;
}

/** What a field takes that {@link readField} has read. */
function fieldBytes(content: Uint8Array): number {
  return 1 + varintBytes(content.length) + content.length;
}
