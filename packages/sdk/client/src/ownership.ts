/**
 * @module Owning a name: what a lock and a leadership have in common. Contenders stand in a queue of keys, each bound
 * to a lease of its own, in the layout of etcd's Go package `concurrency` (`<name>/<lease in hex>`, ordered by create
 * revision), so that holders in any language exclude each other. Each waits for the one before it only.
 */
import type { Timer } from "@conclave/base";
import type { CallOptions } from "./call-scope.ts";
import type { ClientView } from "./client.ts";
import { type Compare, compare } from "./compare.ts";
import { ConclaveError } from "./conclave-error.ts";
import { type BytesInput, prefix } from "./key-range.ts";
import type { KeyValue } from "./key-value.ts";
import type { MutationOptions } from "./kv-options.ts";
import { type Op, op } from "./op.ts";
import type { Session, SessionOptions } from "./session.ts";
import type { TxnResult } from "./txn.ts";

/** How a name is to be owned. */
export interface OwnershipOptions extends Pick<SessionOptions, "ttlSec" | "marginMs"> {
  /** What others see of this contender; default: nothing. */
  readonly value?: BytesInput | undefined;
  /** Longest time to wait for the turn, in milliseconds; 0 takes the name only if it is free. Default: no limit. */
  readonly waitMs?: number | undefined;
  /** Ends the wait: the call rejects with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** A name that is owned. Whether it still is, is computed when asked, never signalled late. */
export interface Ownership extends AsyncDisposable {
  /** The key of this owner in the queue. */
  readonly key: string;
  /** Grows with every owner of the name: what the owner writes elsewhere can carry it, and older ones be refused. */
  readonly fence: number;
  /** Whether it is surely owned now. Once false it stays false. */
  readonly held: boolean;
  /** For how long it is surely owned without another renewal, in milliseconds. */
  readonly remainingMs: number;
  /** Aborts when ownership is lost or given up, as soon as the event loop runs. */
  readonly signal: AbortSignal;
  /** Resolves with the reason when ownership has ended; never rejects. */
  readonly ended: Promise<ConclaveError>;
  /** The lease that ownership hangs on. */
  readonly lease: bigint;
  /** Holds only while this owner owns the name: for transactions of one's own. */
  readonly guard: Compare;
  /** @throws ConclaveError `SESSION_LOST` or `CLOSED` if it is not held now */
  assertHeld(): void;
  /**
   * Runs operations in one transaction that takes effect only while this owner owns the name.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if it does not; nothing was written. `OUTCOME_UNKNOWN` as every write
   */
  txn<const Ops extends readonly Op<unknown>[]>(
    ops: Ops,
    options?: MutationOptions,
  ): Promise<Extract<TxnResult<Ops, []>, { succeeded: true }>>;
  /** Gives the name up; the next contender owns it at once. Does nothing if it is lost. */
  release(options?: CallOptions): Promise<void>;
}

/**
 * Stands in the queue for a name until it is this contender's turn.
 *
 * @param name - the name, the same for all contenders; keys are `<name>/…`
 * @throws ConclaveError `TIMEOUT` if `waitMs` passed, `ABORTED`, `SESSION_LOST` if the contender's own lease ran out while
 * it waited; the place in the queue is given up then
 */
export async function takeOwnership(
  client: ClientView,
  name: string,
  options: OwnershipOptions = {},
): Promise<Ownership> {
  const { ttlSec, marginMs, signal } = options;
  const session = await client.session({ ttlSec, marginMs, signal });
  using wait = new Wait(client, session, name, options);
  try {
    const contender = await enterQueue(client, session, name, options.value ?? "", wait.signal);
    await waitForTurn(client, name, contender, { onlyIfFree: options.waitMs === 0, signal: wait.signal });
    session.assertHeld();
    return new LeasedOwnership(client, session, contender);
  } catch (error) {
    const reason = wait.reason ?? error;
    // The revoke takes the key out of the queue; should it fail, the lease runs out by itself.
    await session.close().catch(() => {});
    throw reason;
  }
}

/** What ends a wait: the caller, the clock, or the loss of the contender's own session. */
class Wait implements Disposable {
  readonly signal: AbortSignal;
  readonly #timeout = new AbortController();
  readonly #session: Session;
  readonly #timer: Timer | undefined;

  constructor({ ports }: ClientView, session: Session, name: string, { waitMs, signal }: OwnershipOptions) {
    this.#session = session;
    this.signal = AbortSignal.any([session.signal, this.#timeout.signal, ...(signal === undefined ? [] : [signal])]);
    if (waitMs === undefined || waitMs === 0) return;
    this.#timer = ports.scheduler.after(waitMs, () => {
      const message = `Waiting for "${name}" timed out after ${waitMs} ms`;
      this.#timeout.abort(new ConclaveError("TIMEOUT", message, { retryable: true }));
    });
  }

  /** Why the wait was ended, if not by the caller: a better error than that of the call which was cut short. */
  get reason(): unknown {
    if (this.#timeout.signal.aborted) return this.#timeout.signal.reason;
    return this.#session.signal.aborted ? this.#session.signal.reason : undefined;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }
}

interface Contender {
  readonly key: string;
  readonly fence: number;
}

/** Puts the contender's key. Guarded by the key's absence, so repeating it after an unknown outcome is safe. */
async function enterQueue(
  client: ClientView,
  session: Session,
  name: string,
  value: BytesInput,
  signal: AbortSignal,
): Promise<Contender> {
  const key = `${name}/${session.lease.toString(16)}`;
  const result = await client
    .txn()
    .if(compare.createRevision(key).equal(0))
    .then(op.put(key, value, { lease: session.lease }))
    .else(op.get(key))
    .commit({ signal, idempotent: true });
  if (result.succeeded) return { key, fence: result.revision };
  const [own] = result.responses;
  if (own === undefined) throw lost(key);
  return { key, fence: own.createRevision };
}

async function waitForTurn(
  client: ClientView,
  name: string,
  { key, fence }: Contender,
  { onlyIfFree, signal }: { readonly onlyIfFree: boolean; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    // One read of both at one revision: ownership is never taken on a key that is gone.
    const [own, predecessor, revision] = await readQueue(client, name, { key, fence }, signal);
    if (own?.createRevision !== fence) throw lost(key);
    if (predecessor === undefined) return;
    if (onlyIfFree) throw new ConclaveError("TIMEOUT", `"${name}" is taken`, { retryable: true });
    await changeOf(client, [predecessor.key, key], revision, signal);
  }
}

async function readQueue(
  client: ClientView,
  name: string,
  { key, fence }: Contender,
  signal: AbortSignal,
): Promise<readonly [own: KeyValue | undefined, predecessor: KeyValue | undefined, revision: number]> {
  const before = {
    sortBy: "createRevision",
    order: "descending",
    limit: 1,
    maxCreateRevision: fence - 1,
    keysOnly: true,
  } as const;
  const { responses, revision } = await client
    .txn()
    .then(op.get(key), op.range(prefix(`${name}/`), before))
    .commit({ signal });
  const [own, queue] = responses as readonly [KeyValue | undefined, { readonly kvs: readonly KeyValue[] }];
  return [own, queue.kvs[0], revision];
}

/** Resolves when one of the keys is deleted after a revision. */
async function changeOf(
  client: ClientView,
  keys: readonly Uint8Array[] | readonly BytesInput[],
  revision: number,
  signal: AbortSignal,
): Promise<void> {
  const first = new AbortController();
  const either = AbortSignal.any([signal, first.signal]);
  const watches = keys.map(async (key) => {
    await using watcher = client.watch(key, {
      from: revision + 1,
      only: "delete",
      onCompaction: "resync",
      signal: either,
    });
    for await (const _batch of watcher) return;
  });
  try {
    await Promise.race(watches);
  } finally {
    first.abort();
    await Promise.allSettled(watches);
  }
  signal.throwIfAborted();
}

function lost(key: string): ConclaveError {
  return new ConclaveError("OWNERSHIP_LOST", `The key "${key}" is gone: its lease ran out or someone deleted it`);
}

class LeasedOwnership implements Ownership {
  readonly key: string;
  readonly fence: number;
  readonly guard: Compare;
  readonly #client: ClientView;
  readonly #session: Session;

  constructor(client: ClientView, session: Session, { key, fence }: Contender) {
    this.key = key;
    this.fence = fence;
    this.guard = compare.createRevision(key).equal(fence);
    this.#client = client;
    this.#session = session;
  }

  get held(): boolean {
    return this.#session.held;
  }

  get remainingMs(): number {
    return this.#session.remainingMs;
  }

  get signal(): AbortSignal {
    return this.#session.signal;
  }

  get ended(): Promise<ConclaveError> {
    return this.#session.ended;
  }

  get lease(): bigint {
    return this.#session.lease;
  }

  assertHeld(): void {
    this.#session.assertHeld();
  }

  async txn<const Ops extends readonly Op<unknown>[]>(
    ops: Ops,
    options?: MutationOptions,
  ): Promise<Extract<TxnResult<Ops, []>, { succeeded: true }>> {
    const result = await this.#client
      .txn()
      .if(this.guard)
      .then(...ops)
      .commit(options);
    if (!result.succeeded) throw lost(this.key);
    return result as Extract<TxnResult<Ops, []>, { succeeded: true }>;
  }

  release(options?: CallOptions): Promise<void> {
    return this.#session.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
