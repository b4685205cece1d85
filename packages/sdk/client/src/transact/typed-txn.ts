/** @module Typed keyspaces within optimistic transactions. */
import { equalBytes } from "@conclave/base";
import type { Codec } from "../codec.ts";
import { ConclaveError } from "../conclave-error.ts";
import { undecodable } from "../keyspace/entry.ts";
import { layoutOf, type TypedKeyspace } from "../keyspace/typed-keyspace.ts";
import { allKeys } from "../kv/key-range.ts";
import { createKeyspace } from "../kv/keyspace.ts";
import type { OptimisticTxn } from "./transact.ts";

/** A pair of a typed keyspace as a transaction sees it. */
export interface TypedPair<Key, Value> {
  /** The key. */
  readonly key: Key;
  /** The value, perhaps one that the transaction has put itself. */
  readonly value: Value;
}

/** What an optimistic transaction can do with the keys of a typed keyspace. */
export interface TypedTxn<Key, Value> {
  /**
   * The value of a key, or what this transaction has put there; undefined if there is none.
   *
   * @throws ConclaveError `DATA_LOSS` if somebody wrote what the codec refuses
   */
  get(key: Key): Promise<Value | undefined>;
  /** Every pair in key order, with this transaction's writes in place. Counts as reading all of the space. @throws as `get` */
  entries(): Promise<readonly TypedPair<Key, Value>[]>;
  /** Writes a key when the transaction commits. @throws ConclaveError `INVALID_ARGUMENT` if a codec refuses it */
  put(key: Key, value: Value, options?: { readonly lease?: bigint | undefined }): void;
  /** Deletes a key when the transaction commits. */
  delete(key: Key): void;
}

/**
 * Shows a transaction's view of a typed keyspace.
 *
 * @param viewPrefix - what the keys of the transaction start with in the store
 * @throws ConclaveError `INVALID_ARGUMENT` if the space is not among those keys
 */
export function createTypedTxn<Key, Value>(
  tx: OptimisticTxn,
  viewPrefix: Uint8Array,
  space: TypedKeyspace<Key, Value>,
): TypedTxn<Key, Value> {
  const { storePrefix, keys, values } = layoutOf(space);
  if (!equalBytes(storePrefix.subarray(0, viewPrefix.length), viewPrefix))
    throw new ConclaveError(
      "INVALID_ARGUMENT",
      `Cannot use the keyspace "${space.prefix}" in a transaction of another namespace`,
    );
  const places = createKeyspace(storePrefix.subarray(viewPrefix.length));
  const placeOf = (key: Key) => places.key(keys.encode(key));
  return {
    async get(key) {
      const place = placeOf(key);
      const value = await tx.get(place);
      return value === undefined ? undefined : decode(values, value, place);
    },
    async entries() {
      const pairs = await tx.range(places.range(allKeys()));
      return pairs.map(({ key, value }) => ({
        key: decode(keys, places.strip(key), key),
        value: decode(values, value, key),
      }));
    },
    put: (key, value, options) => tx.put(placeOf(key), values.encode(value), options),
    delete: (key) => tx.delete(placeOf(key)),
  };
}

function decode<T>(codec: Codec<T>, bytes: Uint8Array, place: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw undecodable(place, cause);
  }
}
