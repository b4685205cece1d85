/**
 * @module Owning a name: what a lock and a leadership have in common. Contenders stand in a queue of keys, each bound
 * to a lease of its own, in the layout of etcd's Go package `concurrency` (`<name>/<lease in hex>`, ordered by create
 * revision), so that holders in any language exclude each other. Each waits for the one before it only.
 */
import type { Scheduler, Timer } from "@conclave/base";
import { type CallOptions, sleep } from "./calls/call-scope.ts";
import type { ClientView } from "./client.ts";
import { ConclaveError, isConclaveError } from "./conclave-error.ts";
import {
  enterQueue,
  exclusiveQueue,
  lostPlace,
  type QueuePlace,
  type QueueRule,
  waitForTurn,
} from "./contention-queue.ts";
import { type Compare, compare } from "./kv/compare.ts";
import type { BytesInput } from "./kv/key-range.ts";
import type { MutationOptions } from "./kv/kv-options.ts";
import type { Op } from "./kv/op.ts";
import type { TxnResult } from "./kv/txn.ts";
import type { Session, SessionOptions } from "./lease/session.ts";

/** How a name is to be owned. */
export interface OwnershipOptions extends Pick<SessionOptions, "ttlSec" | "marginMs" | "renewer"> {
  /** What others see of this contender; default: nothing. */
  readonly value?: BytesInput | undefined;
  /** Longest time to wait for the turn, in milliseconds; 0 takes the name only if it is free. Default: no limit. */
  readonly waitMs?: number | undefined;
  /** Ends the wait: the call rejects with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** Where the contender stands and whom it waits for. Default: behind everybody who wants the name. */
  readonly queue?: QueueRule | undefined;
  /**
   * A session to contend with, which is closed when ownership ends or is not won. A key that hangs on its lease already
   * keeps its place in the queue. Default: one with a lease of its own.
   */
  readonly session?: Session | undefined;
  /** What else is written in the transaction that takes the place in the queue; default: nothing. */
  readonly alongside?:
    | ((place: { readonly key: string; readonly lease: bigint }) => readonly Op<unknown>[])
    | undefined;
  /**
   * What to do when the key is deleted while its lease lives: `"fail"`, or stand `"again"`, behind everybody.
   * Default: `"fail"`.
   */
  readonly onDisplaced?: "fail" | "again" | undefined;
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
  /** The granted time to live of that lease, in seconds. */
  readonly ttlSec: number;
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
  /**
   * Gives the name up; the next contender owns it at once. Repeated until it is confirmed or the lease has run out by
   * itself, unless `timeoutMs` says for how long. Does nothing if the name is lost, and never touches what the next owner
   * has. Disposal does the same and never throws: what it could not give up ends with its lease.
   *
   * @throws ConclaveError `OUTCOME_UNKNOWN` or what else kept it from being confirmed; it may be called again
   */
  release(options?: CallOptions): Promise<void>;
}

/** For how long one who has given up waiting waits to be out of the queue, in milliseconds. */
const leavePatienceMs = 1_000;

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
  return await withOwnSession(client, { ...options, name }, async (session, signal) => {
    const { key, fence } = await standInQueue(client, session, name, { ...options, signal });
    return createOwnership(client, session, { keys: [key], fence });
  });
}

/** Stands in the queue until it is this contender's turn. */
async function standInQueue(
  client: ClientView,
  session: Session,
  name: string,
  options: OwnershipOptions & { readonly signal: AbortSignal },
): Promise<QueuePlace> {
  const { value = "", queue = exclusiveQueue(name), alongside, signal, onDisplaced } = options;
  for (;;) {
    const place = await enterQueue(client, queue, { lease: session.lease, value, alongside, signal });
    try {
      await waitForTurn(client, queue, place, { onlyIfFree: options.waitMs === 0, signal });
      return place;
    } catch (error) {
      const isDisplaced = isConclaveError(error, "OWNERSHIP_LOST") && session.held;
      if (!isDisplaced || onDisplaced !== "again") throw error;
    }
  }
}

/** How to contend on a session of one's own. */
export interface ContentionOptions
  extends Pick<OwnershipOptions, "ttlSec" | "marginMs" | "renewer" | "waitMs" | "signal" | "session"> {
  /** What is contended for, for errors. */
  readonly name: string;
}

/**
 * Opens a session and contends on it. Whatever keeps the contender from owning, within `waitMs` or at all, ends the session
 * and with it every key that hangs on it.
 *
 * @param contend - what to do with the session; its signal ends when nobody waits any more
 * @throws ConclaveError `TIMEOUT`, `ABORTED` or `SESSION_LOST`, whichever ended the wait, or what `contend` throws
 */
export async function withOwnSession<Held>(
  client: ClientView,
  options: ContentionOptions,
  contend: (session: Session, signal: AbortSignal) => Promise<Held>,
): Promise<Held> {
  const { ttlSec, marginMs, renewer } = options;
  const { scheduler } = client.ports;
  using wait = new Wait(scheduler, options);
  const opened = options.session ?? client.session({ ttlSec, marginMs, renewer, signal: wait.signal });
  const session = await Promise.resolve(opened).catch((error: unknown) => {
    throw wait.timeout ?? error;
  });
  try {
    const held = await contend(session, AbortSignal.any([wait.signal, session.signal]));
    session.assertHeld();
    return held;
  } catch (error) {
    const reason = wait.timeout ?? (session.signal.aborted ? session.signal.reason : error);
    await leave(session, scheduler);
    throw reason;
  }
}

/** Ends the session of one who gave up, who does not wait long for that: should it fail, the lease runs out by itself. */
async function leave(session: Session, scheduler: Scheduler): Promise<void> {
  const hasLeft = new AbortController();
  const left = session.close({ timeoutMs: session.ttlSec * 1_000 }).catch(() => {});
  void left.then(() => hasLeft.abort());
  await sleep(scheduler, leavePatienceMs, hasLeft.signal);
}

/** What ends a wait besides the loss of the contender's own session: the caller, or the clock. */
class Wait implements Disposable {
  readonly signal: AbortSignal;
  readonly #timeout = new AbortController();
  readonly #timer: Timer | undefined;

  constructor(scheduler: Scheduler, { name, waitMs, signal }: ContentionOptions) {
    this.signal = signal === undefined ? this.#timeout.signal : AbortSignal.any([this.#timeout.signal, signal]);
    if (waitMs === undefined || waitMs === 0) return;
    this.#timer = scheduler.after(waitMs, () => {
      const message = `Waiting for "${name}" timed out after ${waitMs} ms`;
      this.#timeout.abort(new ConclaveError("TIMEOUT", message, { retryable: true }));
    });
  }

  /** The error of the timeout if it passed: a better one than that of the call which was cut short. */
  get timeout(): unknown {
    return this.#timeout.signal.aborted ? this.#timeout.signal.reason : undefined;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }
}

/** What is owned: the keys, of which there is one for each name, and the revision at which they came to be. */
export interface OwnedKeys {
  /** The keys, at least one. */
  readonly keys: readonly string[];
  /** Their create revision. */
  readonly fence: number;
}

/** Makes the ownership of keys that hang on a session. For recipes that put them in ways of their own. */
export function createOwnership(client: ClientView, session: Session, owned: OwnedKeys): Ownership {
  return new LeasedOwnership(client, session, owned);
}

class LeasedOwnership implements Ownership {
  readonly key: string;
  readonly fence: number;
  readonly guard: Compare;
  readonly #guards: readonly Compare[];
  readonly #client: ClientView;
  readonly #session: Session;
  #releasing: Promise<void> | undefined;

  constructor(client: ClientView, session: Session, { keys, fence }: OwnedKeys) {
    const [key = ""] = keys;
    this.key = key;
    this.fence = fence;
    this.guard = compare.createRevision(key).equal(fence);
    this.#guards = keys.map((each) => compare.createRevision(each).equal(fence));
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

  get ttlSec(): number {
    return this.#session.ttlSec;
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
      .if(...this.#guards)
      .then(...ops)
      .commit(options);
    if (!result.succeeded) throw lostPlace(this.key);
    return result as Extract<TxnResult<Ops, []>, { succeeded: true }>;
  }

  release(options: CallOptions = {}): Promise<void> {
    this.#releasing ??= this.#giveUp(options).catch((error: unknown) => {
      // Whoever wants to try again may.
      this.#releasing = undefined;
      throw error;
    });
    return this.#releasing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What the scope threw must not be hidden behind this, and the lease runs out by itself.
    await this.release().catch(() => {});
  }

  /** The lease is nobody else's, so that revoking it takes nothing from the next owner, however often it is done. */
  async #giveUp({ timeoutMs, signal }: CallOptions): Promise<void> {
    const { clock } = this.#client.ports;
    const goneAtMs = clock.monotonicMs() + (timeoutMs ?? this.ttlSec * 1_000);
    for (;;) {
      try {
        await this.#revoke({ signal, timeoutMs: Math.max(1, goneAtMs - clock.monotonicMs()) });
        return;
      } catch (error) {
        const maybeLater =
          isConclaveError(error) && (error.retryable || error.maybeApplied) && error.code !== "ABORTED";
        if (!maybeLater || clock.monotonicMs() >= goneAtMs) throw error;
      }
    }
  }

  async #revoke(options: CallOptions): Promise<void> {
    const { signal } = this.#session;
    if (!signal.aborted) return await this.#session.close(options);
    if (isConclaveError(signal.reason, "SESSION_LOST")) return;
    try {
      await this.#client.lease.revoke(this.lease, options);
    } catch (error) {
      if (!isConclaveError(error, "LEASE_NOT_FOUND")) throw error;
    }
  }
}
