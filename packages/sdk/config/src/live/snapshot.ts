/** @module The documents that make up a configuration, as they stand in the store at one revision. */
import { type CallOptions, type ClientView, op } from "@conclave/client";
import { parseGray, type StoredGray } from "../document/gray.ts";
import { grayKey } from "../document/keys.ts";
import { type StoredValue, storedValue } from "../document/stored-value.ts";

/** A document as it stands. */
export interface DocumentSnapshot {
  /** Its key. */
  readonly key: string;
  /** Its value, if it has one. */
  readonly base: StoredValue | undefined;
  /** What is in the key of its gray value, if anything. */
  readonly gray: StoredValue | undefined;
}

/** All documents, at one revision. */
export interface Snapshot {
  /** The revision. */
  readonly revision: number;
  /** The documents, in the order asked for. */
  readonly documents: readonly DocumentSnapshot[];
}

/** Reads documents in one transaction, so that a release of several is seen whole or not at all. */
export async function readSnapshot(
  client: ClientView,
  keys: readonly string[],
  options: CallOptions,
): Promise<Snapshot> {
  const values = keys.map((key) => op.get(key));
  const grays = keys.map((key) => op.get(grayKey(key)));
  const result = await client
    .txn()
    .then(...values, ...grays)
    .commit(options);
  const kvs = result.succeeded ? result.responses : [];
  const documents = keys.map((key, at) => ({
    key,
    base: storedValue(kvs[at]),
    gray: storedValue(kvs[keys.length + at]),
  }));
  return { revision: result.revision, documents };
}

/** The gray release of a document, if it has one that can be read. */
export function grayOf({ gray }: DocumentSnapshot): StoredGray | undefined {
  return gray === undefined ? undefined : parseGray(gray);
}
