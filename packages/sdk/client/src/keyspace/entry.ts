/** @module A pair with its key and value decoded. */
import { utf8Text } from "@conclave/base";
import type { Codec } from "../codec.ts";
import { ConclaveError } from "../conclave-error.ts";
import type { KeyValue } from "../kv/key-value.ts";

/** A key with its value and history. */
export interface Entry<Key, Value> {
  /** The key, without the prefix of its space. */
  readonly key: Key;
  /** The value. */
  readonly value: Value;
  /** The revision at which the key came to be. */
  readonly createRevision: number;
  /** The revision of the last change: what a conditional write is held against. */
  readonly modRevision: number;
  /** How many changes since the key came to be, from 1. */
  readonly version: number;
  /** The lease the key hangs on; 0n for none. */
  readonly lease: bigint;
}

interface Undecoded {
  readonly error: ConclaveError;
}

/** Decodes what the store has. What cannot be decoded is a value here, as nobody but its writer is to blame. */
export interface EntryDecoder<Key, Value> {
  /** The key alone. */
  key(kv: KeyValue): { readonly key: Key } | Undecoded;
  /** The pair. */
  entry(kv: KeyValue): { readonly entry: Entry<Key, Value> } | Undecoded;
}

/** Makes a decoder. */
export function entryDecoder<Key, Value>(keys: Codec<Key>, values: Codec<Value>): EntryDecoder<Key, Value> {
  return {
    key: (kv) => attempt(kv, () => ({ key: keys.decode(kv.key) })),
    entry: (kv) =>
      attempt(kv, () => {
        const { createRevision, modRevision, version, lease } = kv;
        const key = keys.decode(kv.key);
        return { entry: { key, value: values.decode(kv.value), createRevision, modRevision, version, lease } };
      }),
  };
}

/**
 * The pair, for those who asked for just this one.
 *
 * @throws ConclaveError `DATA_LOSS` if a codec refuses it
 */
export function entryOrThrow<Key, Value>(decoder: EntryDecoder<Key, Value>, kv: KeyValue): Entry<Key, Value> {
  const decoded = decoder.entry(kv);
  if ("error" in decoded) throw decoded.error;
  return decoded.entry;
}

function attempt<T>(kv: KeyValue, decode: () => T): T | Undecoded {
  try {
    return decode();
  } catch (cause) {
    return { error: undecodable(kv.key, cause, kv.modRevision) };
  }
}

/** The error of a pair that a codec refuses. */
export function undecodable(key: Uint8Array, cause: unknown, modRevision?: number): ConclaveError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const since = modRevision === undefined ? "" : ` at revision ${modRevision}`;
  return new ConclaveError("DATA_LOSS", `Cannot decode ${JSON.stringify(utf8Text(key))}${since}: ${reason}`, { cause });
}
