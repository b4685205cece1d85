import type { KeyValue } from "@conclave/client";

/** What a key of the store held. */
export interface StoredValue {
  /** The revision that wrote it. */
  readonly revision: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
}

/** What a key holds; undefined if it is not there. */
export function storedValue(kv: KeyValue | undefined): StoredValue | undefined {
  return kv && { revision: kv.modRevision, bytes: kv.value };
}
