/**
 * @module Sessions that many users share and that heal: for registrations, which must come back after a loss.
 * One lease per client and time to live (and way to renew it), for up to 1 000 users; granted again for ever, with full
 * jitter, so that a fleet that lost its leases together does not come back together.
 */

import * as z from "zod";
import { type Backoff, fullJitterMs } from "../calls/backoff.ts";
import { type CallOptions, CallScope, sleep } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { type ConclaveError, isConclaveError } from "../conclave-error.ts";
import { type EventSource, IsolatedEmitter } from "../isolated-emitter.ts";
import { validate } from "../validate.ts";
import {
  checkRenewer,
  leaseFields,
  openSession,
  type Session,
  type SessionOptions,
  type SessionPorts,
  ttlSecDefault,
} from "./session.ts";

/** How to share a session. Users who say the same share a lease, up to 1 000 of them. */
export interface SharedSessionOptions extends Pick<SessionOptions, "renewer"> {
  /** The time to live to ask for, in seconds. Default: 15. */
  readonly ttlSec?: number | undefined;
}

/** The events of a shared session. */
export type SharedSessionEvents = {
  /** There is a lease, the first or a new one: write the keys that hang on it. */
  session: [session: Session];
  /** The lease is lost, and its keys with it or soon; a new one is being asked for. */
  lost: [error: ConclaveError];
  /** A try to get a new lease failed; another one follows. */
  grantFailed: [error: ConclaveError];
};

/** One user's share of a session that heals. */
export interface SharedSession extends EventSource<SharedSessionEvents>, AsyncDisposable {
  /** The present session, or undefined while there is none. It changes after a loss. */
  readonly current: Session | undefined;
  /** The present session, or the next one. */
  ready(options?: CallOptions): Promise<Session>;
  /** Gives the share back; the last one revokes the lease. Delete your keys first if others stay. */
  close(options?: CallOptions): Promise<void>;
}

/**
 * Most users of one lease, each with a key of its own as a rule. A member attaches keys to their lease one by one and
 * revokes them in one transaction: a lease with too many would stop it for a while when it ends.
 */
const sharesMax = 1_000;
const grantBackoff: Backoff = { firstMs: 500, maxMs: 10_000 };
const sharedSchema = z.strictObject(leaseFields);

/** The shared sessions of a client. */
export class SharedSessions {
  readonly #made: SessionPorts;
  /** By what their users have said: `15`, or `15 5000` with the longest stall of a thread that renews. */
  readonly #byOptions = new Map<string, Set<HealingSession>>();

  /** @param made - what sessions are made with */
  constructor(made: SessionPorts) {
    this.#made = made;
  }

  /**
   * A share of the session with this time to live, renewed in this way.
   *
   * @throws ConclaveError `INVALID_ARGUMENT`
   */
  share(options: SharedSessionOptions = {}): SharedSession {
    validate(sharedSchema, options, "options of a shared session");
    checkRenewer(this.#made, options);
    return this.#withRoom(options).share();
  }

  #withRoom({ ttlSec = ttlSecDefault, renewer }: SharedSessionOptions): HealingSession {
    const id = [ttlSec, ...(renewer === undefined ? [] : [renewer.maxStallMs])].join(" ");
    const known = this.#byOptions.get(id) ?? new Set();
    this.#byOptions.set(id, known);
    for (const healing of known) if (healing.hasRoom) return healing;
    const healing: HealingSession = new HealingSession(this.#made, { ttlSec, renewer }, () => {
      known.delete(healing);
      if (known.size === 0 && this.#byOptions.get(id) === known) this.#byOptions.delete(id);
    });
    known.add(healing);
    return healing;
  }

  /** Ends all of them. */
  async close(options?: CallOptions): Promise<void> {
    const all = [...this.#byOptions.values()].flatMap((each) => [...each]);
    await Promise.all(all.map((healing) => healing.close(options)));
  }
}

/** One share: its handlers, and whether it was given back. */
class Share implements SharedSession {
  readonly events: IsolatedEmitter<SharedSessionEvents>;
  readonly #healing: HealingSession;
  readonly #ports: CallPorts;
  readonly #closed = new AbortController();

  constructor(healing: HealingSession, { ports, onHandlerError }: SessionPorts) {
    this.#healing = healing;
    this.#ports = ports;
    this.events = new IsolatedEmitter(onHandlerError);
  }

  get current(): Session | undefined {
    const { current } = this.#healing;
    return !this.#closed.signal.aborted && current?.held ? current : undefined;
  }

  on: EventSource<SharedSessionEvents>["on"] = (name, handler) => this.events.on(name, handler);
  once: EventSource<SharedSessionEvents>["once"] = (name, handler) => this.events.once(name, handler);

  async ready(options: CallOptions = {}): Promise<Session> {
    const scopePorts = { ...this.#ports, closed: this.#closed.signal };
    const timeoutMs = options.timeoutMs ?? this.#ports.timeoutMs;
    using scope = new CallScope(scopePorts, { signal: options.signal, timeoutMs });
    scope.throwIfEnded("waiting for a shared session");
    if (this.current !== undefined) return this.current;
    return await new Promise((resolve, reject) => {
      const off = this.events.once("session", resolve);
      scope.signal.addEventListener("abort", () => {
        off();
        reject(scope.error("waiting for a shared session"));
      });
    });
  }

  async close(options?: CallOptions): Promise<void> {
    this.end();
    await this.#healing.leave(this, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Nothing more can be had from this share. */
  end(): void {
    this.#closed.abort();
  }
}

class HealingSession {
  readonly #made: SessionPorts;
  readonly #options: SharedSessionOptions;
  readonly #onClosed: () => void;
  readonly #closing = new AbortController();
  readonly #shares = new Set<Share>();
  #current: Session | undefined;

  constructor(made: SessionPorts, options: SharedSessionOptions, onClosed: () => void) {
    this.#made = made;
    this.#options = options;
    this.#onClosed = onClosed;
    void this.#keepOne();
  }

  get current(): Session | undefined {
    return this.#current;
  }

  /** Whether another user can share it. */
  get hasRoom(): boolean {
    return this.#shares.size < sharesMax;
  }

  share(): SharedSession {
    const share = new Share(this, this.#made);
    this.#shares.add(share);
    return share;
  }

  async leave(share: Share, options?: CallOptions): Promise<void> {
    if (this.#shares.delete(share) && this.#shares.size === 0) await this.close(options);
  }

  async close(options?: CallOptions): Promise<void> {
    this.#onClosed();
    this.#closing.abort();
    for (const share of this.#shares) share.end();
    this.#shares.clear();
    await this.#current?.close(options);
  }

  /** Holds one session after another until it is closed. */
  async #keepOne(): Promise<void> {
    const { scheduler, random } = this.#made.ports;
    for (let failures = 0; !this.#closing.signal.aborted; ) {
      try {
        const session = await openSession(this.#made, { ...this.#options, signal: this.#closing.signal });
        failures = 0;
        await this.#hold(session);
      } catch (error) {
        failures++;
        if (!isConclaveError(error)) throw error;
        // The client was closed.
        if (error.code === "CLOSED") return await this.close();
        if (!this.#closing.signal.aborted) this.#emit("grantFailed", error);
      }
      await sleep(scheduler, fullJitterMs(random, grantBackoff, failures + 1), this.#closing.signal);
    }
  }

  async #hold(session: Session): Promise<void> {
    if (this.#closing.signal.aborted) return await session.close();
    this.#current = session;
    this.#emit("session", session);
    const error = await session.ended;
    this.#current = undefined;
    if (error.code === "SESSION_LOST") this.#emit("lost", error);
  }

  #emit<Name extends keyof SharedSessionEvents>(name: Name, ...args: SharedSessionEvents[Name]): void {
    for (const { events } of [...this.#shares]) events.emit(name, ...args);
  }
}
