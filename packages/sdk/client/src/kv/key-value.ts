import { emptyBytes, utf8Text } from "@conclave/base";
import type { ResponseHeader as WireHeader } from "@conclave/protocol/etcdserverpb";
import type { KeyValue as WireKeyValue } from "@conclave/protocol/mvccpb";
import type { Keyspace } from "./keyspace.ts";

/** Where and when an answer was given. */
export interface ResponseHeader {
  /** The cluster. */
  readonly clusterId: bigint;
  /** The member that answered. */
  readonly memberId: bigint;
  /** The revision of the store when it answered; 0 for answers that have nothing to do with keys. */
  readonly revision: number;
  /** The member's Raft term. */
  readonly raftTerm: number;
}

/** The header of an answer that has none. */
export const emptyHeader: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };

/** The header of a response; zeros where the member left it out. */
export function headerOf(response: { readonly header: WireHeader | undefined }): ResponseHeader {
  return response.header ?? emptyHeader;
}

/** A key with its value and history. */
export interface KeyValue {
  /** The key. */
  readonly key: Uint8Array;
  /** The value; empty in the event of a deletion and where only keys were asked for. */
  readonly value: Uint8Array;
  /** The key as text (UTF-8). */
  readonly keyString: string;
  /** The value as text (UTF-8). */
  readonly valueString: string;
  /** The revision at which the key came to be; 0 in the event of a deletion. */
  readonly createRevision: number;
  /** The revision of the last change. */
  readonly modRevision: number;
  /** How many changes since the key came to be, from 1; 0 in the event of a deletion. */
  readonly version: number;
  /** The lease the key hangs on; 0n for none. */
  readonly lease: bigint;
}

class StoredKeyValue implements KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;

  constructor(wire: WireKeyValue, key: Uint8Array) {
    this.key = key;
    this.value = wire.value;
    this.createRevision = wire.createRevision;
    this.modRevision = wire.modRevision;
    this.version = wire.version;
    this.lease = wire.lease;
  }

  get keyString(): string {
    return utf8Text(this.key);
  }

  get valueString(): string {
    return utf8Text(this.value);
  }
}

/** What the client sees of a key of the store. */
export function toKeyValue(wire: WireKeyValue, space: Keyspace): KeyValue {
  return new StoredKeyValue(wire, space.strip(wire.key));
}

/** What a deletion leaves of a key: its name and when it went. */
export function deletedKeyValue(key: Uint8Array, modRevision: number): KeyValue {
  const wire = { key, value: emptyBytes, createRevision: 0, modRevision, version: 0, lease: 0n };
  return new StoredKeyValue(wire, key);
}
