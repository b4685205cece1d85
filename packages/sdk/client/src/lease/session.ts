/**
 * @module Sessions: leases that a client keeps alive, and whose loss it notices before anyone else can profit.
 *
 * Whether a session is held is computed when it is asked, from the clock: the deadline is the time the last
 * answered request was sent, plus the TTL it granted, minus a margin. A timer that aborts the signal follows, but
 * a timer is late when the event loop is blocked, and the computation is not.
 */
import type { Timer } from "@conclave/base";
import * as z from "zod";
import { type CallOptions, CallScope } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { ConclaveError, isConclaveError } from "../conclave-error.ts";
import { type EventSource, type HandlerErrorSink, IsolatedEmitter } from "../isolated-emitter.ts";
import type { WorkerRenewer } from "../renewer/worker-renewer.ts";
import { callFields, id64, validate } from "../validate.ts";
import type { KeepAliveLoop, KeepAliveSink, Renewal } from "./keep-alive-loop.ts";
import type { Leases } from "./lease.ts";
import { grantOwnLease, type OwnLease, renewLease } from "./own-lease.ts";

/** How to make a session. */
export interface SessionOptions extends CallOptions {
  /** The time to live to ask for, in seconds; the member may grant more. A whole number from 1. Default: 15. */
  readonly ttlSec?: number | undefined;
  /**
   * How long before the lease can end the session counts as lost, in milliseconds: covers clocks that run at
   * different rates, and the time between looking and acting. Default: a tenth of the TTL, at most 2 000.
   */
  readonly marginMs?: number | undefined;
  /**
   * A lease that is there already, such as that of this program before it was restarted, instead of a new one. Nobody
   * else may keep it alive: both would take its keys for theirs. Default: a new lease.
   */
  readonly lease?: bigint | undefined;
  /**
   * Lets a thread with a connection of its own renew the lease, so that a blocked event loop does not lose it. The thread
   * stops when the main loop has not run for `maxStallMs` milliseconds (at least 10), so that a program that hangs loses its
   * lease all the same, within `maxStallMs` plus the time to live. Only for clients with the default transport and clock;
   * their interceptors do not see these renewals. Default: the main loop renews.
   */
  readonly renewer?: { readonly maxStallMs: number } | undefined;
}

/** The events of a session. */
export type SessionEvents = {
  /** The lease was renewed. */
  renewed: [renewal: Renewal];
  /** The session is lost: `SESSION_LOST`. Emitted once. */
  lost: [error: ConclaveError];
};

/** A lease that is kept alive until it is closed or lost. Once lost it stays lost. */
export interface Session extends EventSource<SessionEvents>, AsyncDisposable {
  /** The lease. */
  readonly lease: bigint;
  /** The granted time to live, in seconds, as of the last renewal. */
  readonly ttlSec: number;
  /** Whether the session is held, computed now from the clock. Once false it stays false. */
  readonly held: boolean;
  /** For how long it is surely held without another renewal, in milliseconds; 0 once lost. Computed now. */
  readonly remainingMs: number;
  /** Aborts when the session is lost or closed, with the error as its reason, as soon as the event loop runs. */
  readonly signal: AbortSignal;
  /** Resolves with `SESSION_LOST` or `CLOSED` when the session has ended; never rejects. */
  readonly ended: Promise<ConclaveError>;
  /** @throws ConclaveError `SESSION_LOST` or `CLOSED` if the session is not held */
  assertHeld(): void;
  /** Revokes the lease, which deletes its keys at once. Does nothing if the session has ended. */
  close(options?: CallOptions): Promise<void>;
  /** Ends the session and leaves its lease to run out by itself: its keys stay so long. Does nothing if it has ended. */
  abandon(): void;
}

/** What sessions are made with. */
export interface SessionPorts {
  /** Clock, timers, calls. */
  readonly ports: CallPorts;
  /** Grants and revokes. */
  readonly leases: Leases;
  /** Keeps alive. */
  readonly loop: KeepAliveLoop;
  /** Keeps alive from another thread; undefined where that is not to be had. */
  readonly worker: WorkerRenewer | undefined;
  /** Takes what handlers throw. */
  readonly onHandlerError: HandlerErrorSink;
}

/** The default time to live of sessions, in seconds. */
export const ttlSecDefault = 15;
const marginMsMax = 2_000;
const timerStepMs = 1;

/** What of the options says for how long a lease lives, and who renews it. */
export const leaseFields: {
  readonly ttlSec: z.ZodOptional<z.ZodNumber>;
  readonly renewer: z.ZodOptional;
} = {
  ttlSec: z.number().int().min(1).max(9_000_000_000).optional(),
  renewer: z.strictObject({ maxStallMs: z.number().min(10) }).optional(),
};

const sessionSchema = z.strictObject({
  ...callFields,
  ...leaseFields,
  marginMs: z.number().min(0).optional(),
  lease: id64.optional(),
});

/**
 * Grants a lease and keeps it alive.
 *
 * @throws ConclaveError if no lease is granted in time, `LEASE_NOT_FOUND` if the lease to go on with is gone
 */
export async function openSession(made: SessionPorts, options: SessionOptions = {}): Promise<Session> {
  validate(sessionSchema, options, "options of a session");
  const { ports } = made;
  checkRenewer(made, options);
  using scope = new CallScope(ports, { signal: options.signal, timeoutMs: options.timeoutMs ?? ports.timeoutMs });
  const call = () => ({ signal: options.signal, timeoutMs: scope.remainingMs });
  const granted =
    options.lease === undefined
      ? await grantOwnLease(made, options.ttlSec ?? ttlSecDefault, call)
      : await renewLease(made, options.lease, call);
  const session = new LeaseSession(made, await refresh(made, granted, call), options);
  if (scope.end !== undefined) {
    // Nobody waits any more, though the lease is there. If it cannot be revoked it ends by itself.
    await session.close().catch(() => {});
    throw scope.error("opening a session");
  }
  session.start();
  return session;
}

/** @throws ConclaveError `INVALID_ARGUMENT` if a thread is to renew and there can be none */
export function checkRenewer({ worker }: SessionPorts, { renewer }: Pick<SessionOptions, "renewer">): void {
  if (renewer === undefined || worker !== undefined) return;
  throw new ConclaveError(
    "INVALID_ARGUMENT",
    "Cannot renew in a thread: the client has a transport or time of its own",
  );
}

/** Renews a lease whose grant took so many tries that much of its time to live has passed. */
async function refresh(made: SessionPorts, granted: OwnLease, call: () => CallOptions): Promise<OwnLease> {
  const isFresh = made.ports.clock.monotonicMs() - granted.sentAtMs < (granted.ttlSec * 1_000) / 3;
  return isFresh ? granted : await renewLease(made, granted.lease, call);
}

class LeaseSession implements Session {
  readonly lease: bigint;
  readonly ended: Promise<ConclaveError>;
  readonly #made: SessionPorts;
  readonly #marginMs: number | undefined;
  readonly #maxStallMs: number | undefined;
  readonly #controller = new AbortController();
  readonly #events: IsolatedEmitter<SessionEvents>;
  readonly #resolveEnded: (error: ConclaveError) => void;
  #ttlSec: number;
  #deadlineMs: number;
  /** Whether someone has been told that the session is not held: then no late renewal brings it back. */
  #lapsed = false;
  #end: ConclaveError | undefined;
  #timer: Timer | undefined;
  #closing: Promise<void> = Promise.resolve();
  /** Takes the lease out of the main loop's hands. */
  #stopLoop: (() => void) | undefined;
  /** Takes it out of the thread's hands. */
  #stopThread: (() => void) | undefined;
  /** The last renewal by another thread, whether or not the event loop has heard of it. */
  #latest: (() => Renewal | undefined) | undefined;

  constructor(made: SessionPorts, granted: OwnLease, { marginMs, renewer }: SessionOptions) {
    this.#made = made;
    this.#marginMs = marginMs;
    this.#maxStallMs = renewer?.maxStallMs;
    this.#events = new IsolatedEmitter(made.onHandlerError);
    this.lease = granted.lease;
    this.#ttlSec = granted.ttlSec;
    this.#deadlineMs = this.#deadlineOf(granted);
    const { promise, resolve } = withResolvers<ConclaveError>();
    this.ended = promise;
    this.#resolveEnded = resolve;
  }

  get ttlSec(): number {
    return this.#ttlSec;
  }

  get held(): boolean {
    return this.remainingMs > 0;
  }

  get remainingMs(): number {
    if (this.#end !== undefined || this.#lapsed) return 0;
    const latest = this.#latest?.();
    if (latest !== undefined) this.#deadlineMs = Math.max(this.#deadlineMs, this.#deadlineOf(latest));
    const leftMs = this.#deadlineMs - this.#made.ports.clock.monotonicMs();
    if (leftMs > 0) return leftMs;
    this.#lapsed = true;
    return 0;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  on: EventSource<SessionEvents>["on"] = (name, handler) => this.#events.on(name, handler);
  once: EventSource<SessionEvents>["once"] = (name, handler) => this.#events.once(name, handler);

  assertHeld(): void {
    if (!this.held) throw this.#end ?? this.#expiredError();
  }

  /** Renews from now on. */
  start(): void {
    this.#armTimer();
    const sink: KeepAliveSink = {
      onRenewed: (renewal) => this.renew(renewal),
      onGone: () => this.#finish(this.#lostError("the lease is gone: it was revoked or has run out")),
    };
    this.#renewInLoop(sink);
    const { worker } = this.#made;
    if (worker !== undefined && this.#maxStallMs !== undefined) this.#handOver(worker, this.#maxStallMs, sink);
  }

  #renewInLoop(sink: KeepAliveSink): void {
    if (this.#end === undefined) this.#stopLoop ??= this.#made.loop.add(this.lease, this.#ttlSec, sink);
  }

  #endLoop(): void {
    this.#stopLoop?.();
    this.#stopLoop = undefined;
  }

  /** Lets a thread renew. It takes its time to start, and may fail: while it does not renew the main loop does. */
  #handOver(worker: WorkerRenewer, maxStallMs: number, sink: KeepAliveSink): void {
    const held = { lease: this.lease, ttlSec: this.#ttlSec, maxStallMs };
    const renewal = worker.add(held, {
      onRenewed: (renewed) => {
        this.#endLoop();
        sink.onRenewed(renewed);
      },
      onGone: () => sink.onGone(),
      onThreadFailed: () => this.#renewInLoop(sink),
    });
    this.#latest = renewal.latest;
    this.#stopThread = renewal.stop;
  }

  /** Takes a renewal, unless the session has been seen as lost. */
  renew(renewal: Renewal): void {
    const deadlineMs = this.#deadlineOf(renewal);
    if (this.#end !== undefined || this.#lapsed || deadlineMs <= this.#made.ports.clock.monotonicMs()) return;
    this.#ttlSec = renewal.ttlSec;
    this.#deadlineMs = deadlineMs;
    this.#armTimer();
    this.#events.emit("renewed", renewal);
  }

  close(options: CallOptions = {}): Promise<void> {
    // Whoever closes it again waits for the revoke that is under way: only then its keys are gone.
    if (this.#end === undefined) this.#closing = this.#revoke(options);
    return this.#closing;
  }

  abandon(): void {
    this.#finish(new ConclaveError("CLOSED", `The session of lease ${this.lease.toString(16)} was abandoned`));
  }

  async #revoke(options: CallOptions): Promise<void> {
    this.#finish(new ConclaveError("CLOSED", `The session of lease ${this.lease.toString(16)} was closed`));
    try {
      await this.#made.leases.revoke(this.lease, options);
    } catch (error) {
      if (!isConclaveError(error, "LEASE_NOT_FOUND")) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #deadlineOf({ sentAtMs, ttlSec }: Renewal): number {
    const ttlMs = ttlSec * 1_000;
    return sentAtMs + ttlMs - (this.#marginMs ?? Math.min(marginMsMax, ttlMs / 10));
  }

  #armTimer(): void {
    const { clock, scheduler } = this.#made.ports;
    this.#timer?.cancel();
    // Times are rounded, and a timer may fire early: without a step it could be set for now for ever.
    const leftMs = Math.max(timerStepMs, this.#deadlineMs - clock.monotonicMs());
    // After a pause of the process an answer may be waiting in the socket: it is read first.
    this.#timer = scheduler.after(leftMs, () => scheduler.atTurnEnd(() => this.#onDeadline()));
  }

  #onDeadline(): void {
    if (this.#end !== undefined) return;
    if (this.held) this.#armTimer();
    else this.#finish(this.#expiredError());
  }

  #expiredError(): ConclaveError {
    return this.#lostError("its time to live has passed without a renewal", this.#made.loop.lastError);
  }

  #lostError(reason: string, cause?: ConclaveError): ConclaveError {
    const message = `The session of lease ${this.lease.toString(16)} is lost: ${reason}`;
    return new ConclaveError("SESSION_LOST", message, { cause, details: { lease: this.lease } });
  }

  #finish(error: ConclaveError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#timer?.cancel();
    this.#endLoop();
    this.#stopThread?.();
    this.#controller.abort(error);
    this.#resolveEnded(error);
    if (error.code !== "SESSION_LOST") return;
    this.#events.emit("lost", error);
    this.#made.ports.onStatus({ type: "sessionLost", lease: this.lease, error });
  }
}

/** A promise and what settles it. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
