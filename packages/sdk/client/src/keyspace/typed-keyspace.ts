/** @module Keys and values of one's own types under a prefix. */
import * as z from "zod";
import type { CallOptions } from "../calls/call-scope.ts";
import type { ClientView } from "../client.ts";
import { type Codec, stringCodec } from "../codec.ts";
import { ConclaveError } from "../conclave-error.ts";
import { type Compare, compare } from "../kv/compare.ts";
import type { Idempotency } from "../kv/idempotency.ts";
import { allKeys, toBytes } from "../kv/key-range.ts";
import { type KeyValue, toKeyValue } from "../kv/key-value.ts";
import { createKeyspace, type Keyspace } from "../kv/keyspace.ts";
import type { ScanOptions } from "../kv/kv.ts";
import type { GetOptions } from "../kv/kv-options.ts";
import { type Op, op } from "../kv/op.ts";
import { unknownOutcome, type WriteOutcome } from "../kv/outcome.ts";
import { callFields, count, id64, validate, validateOptions } from "../validate.ts";
import { type Entry, entryDecoder, entryOrThrow } from "./entry.ts";
import { decodeWatcher, type KeyspaceWatcher, type KeyspaceWatchOptions } from "./keyspace-watch.ts";

/** How a typed keyspace is made. */
export interface KeyspaceOptions<Key, Value> {
  /** How the part of a key after the prefix is written. Default: {@link stringCodec}. */
  readonly key?: Codec<Key> | undefined;
  /** How values are written. */
  readonly value: Codec<Value>;
  /**
   * What the prefix must end with, so that `users` does not hold `users-of-others` too; at least one character.
   * Default: `"/"`.
   */
  readonly separator?: string | undefined;
}

/** When a write takes effect. */
export interface WriteCondition {
  /** The key's last change is the one of this revision; 0: the key is not there. */
  readonly modRevision: number;
}

/** How to write. */
export interface KeyspaceWriteOptions extends CallOptions {
  /** What must hold for the write to take effect; otherwise it is `rejected`. Default: nothing. */
  readonly if?: WriteCondition | undefined;
  /**
   * Names this write, so that it takes effect once however often it is asked for: tries that may have been applied are
   * repeated, and an `unknown` outcome is resolved by asking again with the same id. Costs a small key beside the
   * written one (under `_conclave/idempotency/` of the client that made the keyspace) that the store collects after the
   * client's `idempotencyTtlSec`; until then it can be asked again. At most 256 characters. Default: none.
   */
  readonly idempotencyId?: string | undefined;
}

/** How to put. */
export interface KeyspacePutOptions extends KeyspaceWriteOptions {
  /** The lease to hang the key on; 0n for none. Default: 0n. */
  readonly lease?: bigint | undefined;
}

/**
 * Keys and values of one's own types under a prefix.
 *
 * @example
 * ```ts
 * const users = client.keyspace("users/", { value: schemaCodec(z.object({ name: z.string() })) });
 * const outcome = await users.put("u1", { name: "ada" }, { if: { modRevision: 0 } });
 * switch (outcome.kind) {
 *   case "committed": break; // it is ours, since outcome.revision
 *   case "rejected": break; // somebody was there first: outcome.current
 *   case "unknown": break; // the answer was lost: look again, or give an idempotencyId
 * }
 * ```
 */
export interface TypedKeyspace<Key, Value> {
  /** What every key starts with, as the client sees it that made the space. */
  readonly prefix: string;
  /**
   * The entry of a key; undefined if it is not there.
   *
   * @throws ConclaveError `DATA_LOSS` if somebody wrote what the codec refuses
   */
  get(key: Key, options?: GetOptions): Promise<Entry<Key, Value> | undefined>;
  /** Writes a key. @throws ConclaveError if nothing was changed, for another reason than the condition */
  put(key: Key, value: Value, options?: KeyspacePutOptions): Promise<WriteOutcome<Entry<Key, Value>>>;
  /** Deletes a key; one that is not there may be deleted too. @throws as `put` */
  delete(key: Key, options?: KeyspaceWriteOptions): Promise<WriteOutcome<Entry<Key, Value>>>;
  /**
   * Every entry, in key order, all read at one revision. `timeoutMs` bounds each page.
   *
   * @throws ConclaveError `DATA_LOSS` if somebody wrote what a codec refuses
   */
  scan(options?: Omit<ScanOptions, "keysOnly">): AsyncIterable<Entry<Key, Value>>;
  /** Tells what happens to the space. The watch starts at once. */
  watch(options?: KeyspaceWatchOptions<Key>): KeyspaceWatcher<Key, Value>;
}

const codec = z.looseObject({
  encode: z.custom((value) => typeof value === "function", "expected a function"),
  decode: z.custom((value) => typeof value === "function", "expected a function"),
});
const keyspaceSchema = z.strictObject({
  key: codec.optional(),
  value: codec,
  separator: z.string().min(1).optional(),
});
const writeFields = {
  ...callFields,
  if: z.strictObject({ modRevision: count }).optional(),
  idempotencyId: z.string().min(1).max(256).optional(),
};
const writeSchema = z.strictObject(writeFields);
const putSchema = z.strictObject({ ...writeFields, lease: id64.optional() });

/** What typed keyspaces are made with. */
export interface KeyspacePorts {
  /** The client. */
  readonly client: ClientView;
  /** Writes with ids. */
  readonly idempotency: Idempotency;
}

/** Makes a typed keyspace. */
export function createTypedKeyspace<Key, Value>(
  ports: KeyspacePorts,
  prefix: string,
  options: KeyspaceOptions<Key, Value>,
): TypedKeyspace<Key, Value> {
  validate(keyspaceSchema, options, "options of a keyspace");
  const { separator = "/" } = options;
  if (typeof prefix !== "string" || !prefix.endsWith(separator))
    throw new ConclaveError(
      "INVALID_ARGUMENT",
      `Cannot use a keyspace whose prefix does not end with ${JSON.stringify(separator)}: received ${JSON.stringify(prefix)}`,
    );
  return new CodedKeyspace(ports, prefix, options);
}

/** How the pairs of a typed keyspace are laid out in the store. */
export interface KeyspaceLayout<Key, Value> {
  /** What every key starts with in the store, whatever namespace the space was made in. */
  readonly storePrefix: Uint8Array;
  /** How the rest of a key is written. */
  readonly keys: Codec<Key>;
  /** How values are written. */
  readonly values: Codec<Value>;
}

/**
 * The layout of a typed keyspace.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if it is none that a client made
 */
export function layoutOf<Key, Value>(space: TypedKeyspace<Key, Value>): KeyspaceLayout<Key, Value> {
  if (space instanceof CodedKeyspace) return (space as CodedKeyspace<Key, Value>).layout;
  throw new ConclaveError("INVALID_ARGUMENT", "Cannot use a keyspace that no client made");
}

class CodedKeyspace<Key, Value> implements TypedKeyspace<Key, Value> {
  readonly prefix: string;
  readonly #ports: KeyspacePorts;
  /** Shows the keys of this space alone. */
  readonly #view: ClientView;
  /** The same for operations on the client that made the space, among whose keys the markers of writes are. */
  readonly #space: Keyspace;
  readonly #keys: Codec<Key>;
  readonly #values: Codec<Value>;
  readonly #decoder: ReturnType<typeof entryDecoder<Key, Value>>;

  constructor(ports: KeyspacePorts, prefix: string, { key, value }: KeyspaceOptions<Key, Value>) {
    this.prefix = prefix;
    this.#ports = ports;
    this.#view = ports.client.namespace(prefix);
    this.#space = createKeyspace(toBytes(prefix));
    // Without a codec of its own the type of the keys is that of the default: see `ClientView.keyspace`.
    this.#keys = key ?? (stringCodec as unknown as Codec<Key>);
    this.#values = value;
    this.#decoder = entryDecoder(this.#keys, value);
  }

  /** For transactions. */
  get layout(): KeyspaceLayout<Key, Value> {
    return { storePrefix: this.#view.prefix, keys: this.#keys, values: this.#values };
  }

  async get(key: Key, options?: GetOptions): Promise<Entry<Key, Value> | undefined> {
    const kv = await this.#view.get(this.#keys.encode(key), options);
    return kv === undefined ? undefined : entryOrThrow(this.#decoder, kv);
  }

  async put(key: Key, value: Value, options: KeyspacePutOptions = {}): Promise<WriteOutcome<Entry<Key, Value>>> {
    validateOptions(putSchema, options, "options of a put");
    const bytes = this.#values.encode(value);
    return await this.#write(key, options, (place) => op.put(place, bytes, { lease: options.lease ?? 0n }));
  }

  async delete(key: Key, options: KeyspaceWriteOptions = {}): Promise<WriteOutcome<Entry<Key, Value>>> {
    validateOptions(writeSchema, options, "options of a deletion");
    return await this.#write(key, options, (place) => op.delete(place));
  }

  async *scan(options?: Omit<ScanOptions, "keysOnly">): AsyncIterable<Entry<Key, Value>> {
    for await (const kv of this.#view.scan(allKeys(), options)) yield entryOrThrow(this.#decoder, kv);
  }

  watch(options: KeyspaceWatchOptions<Key> = {}): KeyspaceWatcher<Key, Value> {
    const { key, ...rest } = options;
    const range = key === undefined ? allKeys() : this.#keys.encode(key);
    return decodeWatcher(this.#view.watch(range, rest), this.#decoder);
  }

  async #write(
    key: Key,
    options: KeyspaceWriteOptions,
    write: (place: Uint8Array) => Op<unknown>,
  ): Promise<WriteOutcome<Entry<Key, Value>>> {
    const { if: condition, idempotencyId, ...rest } = options;
    const place = this.#space.key(this.#keys.encode(key));
    const compares = condition === undefined ? [] : [compare.modRevision(place).equal(condition.modRevision)];
    try {
      return idempotencyId === undefined
        ? await this.#commit({ place, compares, write: write(place) }, rest)
        : await this.#commitOnce({ place, compares, write: write(place) }, { ...rest, id: idempotencyId });
    } catch (error) {
      return unknownOutcome(error);
    }
  }

  async #commit(
    { place, compares, write }: PlacedWrite,
    options: CallOptions,
  ): Promise<WriteOutcome<Entry<Key, Value>>> {
    const txn = this.#ports.client
      .txn()
      .if(...compares)
      .then(write)
      .else(op.get(place));
    const { succeeded, revision, responses } = await txn.commit(options);
    if (succeeded) return { kind: "committed", revision };
    const [found] = responses;
    return { kind: "rejected", current: this.#found(found) };
  }

  async #commitOnce(
    { place, compares, write }: PlacedWrite,
    { id, signal, timeoutMs }: CallOptions & { readonly id: string },
  ): Promise<WriteOutcome<Entry<Key, Value>>> {
    const { client, idempotency } = this.#ports;
    const options = { signal, timeoutMs };
    const committed = await idempotency.commit(client, id, { compares, ops: [write] }, options);
    if (committed !== undefined) return committed;
    const found = await client.get(place, options);
    return { kind: "rejected", current: this.#found(found) };
  }

  #found(kv: KeyValue | undefined): Entry<Key, Value> | undefined {
    return kv === undefined ? undefined : entryOrThrow(this.#decoder, toKeyValue(kv, this.#space));
  }
}

interface PlacedWrite {
  readonly place: Uint8Array;
  readonly compares: readonly Compare[];
  readonly write: Op<unknown>;
}
