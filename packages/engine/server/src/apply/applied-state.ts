/** @module What a store says of how far it is: the index and term of the last entry applied, and raft's membership. */
import { asBuffer, type Backend, utf8, utf8Text } from "@conclave/base";
import type { ConfState } from "@conclave/raft";

const consistentIndexKey = utf8("consistent_index");
const termKey = utf8("term");
const confStateKey = utf8("confState");
const storageVersionKey = utf8("storageVersion");

/** What is read of a store, or of a view of it. */
type Reader = Pick<Backend, "get">;

const noMembers: ConfState = { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

function uint64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function readCounter(store: Reader, key: Uint8Array): number {
  const bytes = store.get("meta", key);
  return bytes === undefined ? 0 : Number(asBuffer(bytes).readBigUInt64BE(0));
}

/** The index of the last entry whose effects a store holds; 0 for a new store. */
export function readConsistentIndex(store: Reader): number {
  return readCounter(store, consistentIndexKey);
}

/** The term of that entry; 0 for a new store. */
export function readTerm(store: Reader): number {
  return readCounter(store, termKey);
}

/** Says up to which entry a store holds the effects; a term of 0 leaves the one it has. */
export function writeConsistentIndex(store: Pick<Backend, "put">, index: number, term: number): void {
  store.put("meta", consistentIndexKey, uint64Bytes(index));
  if (term > 0) store.put("meta", termKey, uint64Bytes(term));
}

/** The membership raft had at that entry; empty before the first change was applied. */
export function readConfState(store: Reader): ConfState {
  const bytes = store.get("meta", confStateKey);
  if (bytes === undefined) return noMembers;
  // Member ids exceed what JSON numbers hold exactly, so they are read as text.
  const json = JSON.parse(utf8Text(bytes).replace(/\d+/g, '"$&"')) as { voters?: string[]; learners?: string[] };
  return { ...noMembers, voters: (json.voters ?? []).map(BigInt), learners: (json.learners ?? []).map(BigInt) };
}

/** Writes the membership raft has now, as etcd does. */
export function writeConfState(store: Pick<Backend, "put">, confState: ConfState): void {
  const list = (name: string, ids: readonly bigint[]): string =>
    ids.length > 0 ? `"${name}":[${ids.join(",")}],` : "";
  const text = `{${list("voters", confState.voters)}${list("learners", confState.learners)}"auto_leave":${confState.autoLeave}}`;
  store.put("meta", confStateKey, utf8(text));
}

/** The version of the layout of a store, such as `3.6.0`; empty if it does not say, as up to 3.5. */
export function readStorageVersion(store: Reader): string {
  const bytes = store.get("meta", storageVersionKey);
  return bytes === undefined ? "" : utf8Text(bytes);
}
