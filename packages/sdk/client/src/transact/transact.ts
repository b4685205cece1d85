/**
 * @module Optimistic transactions: read what is there, compute, and write only if all that was read is still so.
 *
 * Isolation: strict serializability. Every read of one try sees the store at one revision, the present one when the
 * first read was made; the writes take effect in one step, and only if nothing that was read has changed until then,
 * keys that were not there and ranges included. So it is as if the whole function had run at that one moment: there is
 * no write skew, and no phantom. A function that only reads is as if run when its first read was made.
 */
import { binaryString, utf8Text } from "@conclave/base";
import pRetry from "p-retry";
import * as z from "zod";
import { type Backoff, fullJitterMs } from "../calls/backoff.ts";
import { type CallOptions, CallScope, sleep } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { ConclaveError, isConclaveError } from "../conclave-error.ts";
import type { TypedKeyspace } from "../keyspace/typed-keyspace.ts";
import type { Idempotency } from "../kv/idempotency.ts";
import { type BytesInput, isSingleKey, type KeyRange, type RangeInput, singleKey, toBytes } from "../kv/key-range.ts";
import type { KeyValue } from "../kv/key-value.ts";
import type { Kv } from "../kv/kv.ts";
import { bytesInput, callFields, id64, rangeInput, validate, validateOptions } from "../validate.ts";
import { ReadSet } from "./read-set.ts";
import { createTypedTxn, type TypedTxn } from "./typed-txn.ts";
import { type Pair, WriteSet } from "./write-set.ts";

/** How an optimistic transaction is run. */
export interface TransactOptions extends CallOptions {
  /** Tries at most, at least 1; each that met a change by others is followed by another after a random delay. Default: 16. */
  readonly attempts?: number | undefined;
  /**
   * Names the transaction, so that it takes effect once though the answer to its commit may be lost: then it is asked
   * for again instead of ending in `OUTCOME_UNKNOWN`. See `KeyspaceWriteOptions.idempotencyId`. Whoever asks again in
   * another call gets the result of a run that took no effect any more. Default: none.
   */
  readonly idempotencyId?: string | undefined;
}

/** What the function of an optimistic transaction can do. It may run several times: only `tx` should have effects. */
export interface OptimisticTxn {
  /** The value of a key, or what this transaction has put there; undefined if there is none. */
  get(key: BytesInput): Promise<Uint8Array | undefined>;
  /** The same as text (UTF-8). */
  getString(key: BytesInput): Promise<string | undefined>;
  /** The pairs of a range in key order, with this transaction's writes in place. Counts as reading all of the range. */
  range(range: RangeInput): Promise<readonly Pair[]>;
  /** Writes a key when the transaction commits. */
  put(key: BytesInput, value: BytesInput, options?: { readonly lease?: bigint | undefined }): void;
  /** Deletes a key when the transaction commits. */
  delete(key: BytesInput): void;
  /**
   * The keys and values of a typed keyspace within this transaction. One transaction may use several.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if the space is outside of the namespace that the transaction is run in
   */
  in<Key, Value>(space: TypedKeyspace<Key, Value>): TypedTxn<Key, Value>;
  /** Aborts when the transaction's time is up, or its caller wants no more. */
  readonly signal: AbortSignal;
}

/** What transactions are made with. */
export interface TransactPorts {
  /** Time, timers and randomness. */
  readonly ports: CallPorts;
  /** The keys. */
  readonly kv: Kv;
  /** What they start with in the store. */
  readonly prefix: Uint8Array;
  /** Commits with ids. */
  readonly idempotency: Idempotency;
}

const attemptsDefault = 16;
const backoff: Backoff = { firstMs: 10, maxMs: 1_000 };
const transactSchema = z.strictObject({
  ...callFields,
  attempts: z.number().int().min(1).optional(),
  idempotencyId: z.string().min(1).max(256).optional(),
});

/** Some of what the function read has changed since. */
class Conflict extends Error {}

/** Runs a function as an optimistic transaction; see {@link OptimisticTxn} and `ClientView.transact`. */
export async function transact<Result>(
  made: TransactPorts,
  run: (tx: OptimisticTxn) => Promise<Result>,
  options: TransactOptions = {},
): Promise<Result> {
  validateOptions(transactSchema, options, "options of a transaction");
  const { ports } = made;
  const { attempts = attemptsDefault, signal, timeoutMs = ports.timeoutMs, idempotencyId } = options;
  using scope = new CallScope(ports, { signal, timeoutMs });
  scope.throwIfEnded("a transaction");
  const attempt = async () => {
    const tx = new Attempt(made, scope, signal);
    const result = await run(tx);
    await tx.commit(idempotencyId);
    return result;
  };
  try {
    return await pRetry(attempt, {
      retries: attempts - 1,
      minTimeout: 0,
      shouldRetry: ({ error, retriesConsumed }) =>
        isConflict(error) &&
        sleep(ports.scheduler, fullJitterMs(ports.random, backoff, retriesConsumed + 1), scope.signal),
    });
  } catch (error) {
    if (!isConflict(error)) throw error;
    scope.throwIfEnded("a transaction");
    const message = `What the transaction read was changed by others in each of ${attempts} tries`;
    throw new ConclaveError("CONFLICT", message, { retryable: true, cause: error });
  }
}

/** A compaction that overtook the revision it reads at leaves a try no better off than a change does. */
function isConflict(error: unknown): boolean {
  return error instanceof Conflict || isConclaveError(error, "COMPACTED");
}

class Attempt implements OptimisticTxn {
  readonly #made: TransactPorts;
  readonly #scope: CallScope;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #reads = new ReadSet();
  readonly #writes = new WriteSet();
  readonly #known = new Map<string, Promise<KeyValue | undefined>>();
  /** The revision of the first read, once that is answered. */
  #revision: Promise<number> | undefined;

  constructor(made: TransactPorts, scope: CallScope, callerSignal: AbortSignal | undefined) {
    this.#made = made;
    this.#scope = scope;
    this.#callerSignal = callerSignal;
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  async get(input: BytesInput): Promise<Uint8Array | undefined> {
    const key = toBytes(validate(bytesInput, input, "key"));
    const written = this.#writes.get(key);
    if (written !== undefined) return written.value;
    const name = binaryString(key);
    const known = this.#known.get(name) ?? this.#readKey(key);
    this.#known.set(name, known);
    return (await known)?.value;
  }

  async getString(key: BytesInput): Promise<string | undefined> {
    const value = await this.get(key);
    return value === undefined ? undefined : utf8Text(value);
  }

  async range(input: RangeInput): Promise<readonly Pair[]> {
    validate(rangeInput, input, "range");
    const range: KeyRange = typeof input === "string" || input instanceof Uint8Array ? singleKey(input) : input;
    if (isSingleKey(range)) {
      const value = await this.get(range.key);
      return value === undefined ? [] : [{ key: range.key, value }];
    }
    const kvs = await this.#read(range);
    this.#reads.addRange(range, kvs);
    return this.#writes.overlay(range, kvs);
  }

  put(key: BytesInput, value: BytesInput, options: { readonly lease?: bigint | undefined } = {}): void {
    validate(bytesInput, key, "key");
    validate(bytesInput, value, "value");
    validate(z.strictObject({ lease: id64.optional() }), options, "options of a put");
    this.#writes.set({ key: toBytes(key), value: toBytes(value), lease: options.lease ?? 0n });
  }

  delete(key: BytesInput): void {
    this.#writes.set({ key: toBytes(validate(bytesInput, key, "key")), value: undefined, lease: 0n });
  }

  in<Key, Value>(space: TypedKeyspace<Key, Value>): TypedTxn<Key, Value> {
    return createTypedTxn(this, this.#made.prefix, space);
  }

  /** Writes, if what was read is still so. */
  async commit(idempotencyId: string | undefined): Promise<void> {
    if (this.#writes.size === 0) return;
    const { kv, idempotency } = this.#made;
    const compares = this.#reads.compares((await this.#revision) ?? 0);
    const write = { compares, ops: this.#writes.ops() };
    const options = this.#callOptions();
    const committed =
      idempotencyId === undefined
        ? (
            await kv
              .txn()
              .if(...compares)
              .then(...write.ops)
              .commit(options)
          ).succeeded
        : (await idempotency.commit(kv, idempotencyId, write, options)) !== undefined;
    if (!committed) throw new Conflict("what was read has changed");
  }

  async #readKey(key: Uint8Array): Promise<KeyValue | undefined> {
    const [kv] = await this.#read(singleKey(key));
    this.#reads.addKey(key, kv);
    return kv;
  }

  /** Reads at the revision of the first read, for which all others wait. */
  async #read(range: KeyRange): Promise<readonly KeyValue[]> {
    const { kv } = this.#made;
    if (this.#revision !== undefined) {
      const revision = await this.#revision;
      return (await kv.range(range, { ...this.#callOptions(), revision })).kvs;
    }
    const first = kv.range(range, this.#callOptions());
    this.#revision = first.then(({ revision }) => revision);
    // Whoever waits for it hears of a failure; if nobody does, the first reader does.
    this.#revision.catch(() => {});
    return (await first).kvs;
  }

  /** The caller's own signal, so that an end by time is told as one. */
  #callOptions(): CallOptions {
    return { signal: this.#callerSignal, timeoutMs: this.#scope.remainingMs };
  }
}
