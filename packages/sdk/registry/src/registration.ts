/** @module Keeping one instance registered: its key on the shared session, written again for ever when a lease was lost. */
import {
  type CallOptions,
  CallScope,
  type ClientView,
  ConclaveError,
  compare,
  type EventSource,
  fullJitterMs,
  IsolatedEmitter,
  isConclaveError,
  type KeyValue,
  LinkedSignal,
  op,
  type Session,
  type SharedSession,
  sleep,
} from "@conclave/client";
import { z } from "zod";
import type { InstanceWrite } from "./group-write.ts";
import {
  check,
  checkPatch,
  formatInstance,
  type Instance,
  type InstanceMetadata,
  type InstancePatch,
  type InstanceState,
  publicInstance,
  type StoredInstance,
} from "./instance.ts";
import { type InstanceStore, instanceKey, readInstance } from "./layout.ts";
import type { Termination } from "./termination.ts";

/** What a registration is doing: present in the store, absent while its lease is renewed, taken over, or over. */
export type RegistrationState = "registered" | "healing" | "replaced" | "ended";

/** What a registration tells. */
export type RegistrationEvents = {
  /** What it is doing has changed. */
  state: [state: RegistrationState];
  /** Everybody can see now that the instance is about to leave. */
  draining: [];
};

/** How an instance leaves. */
export interface DrainOptions extends CallOptions {
  /**
   * How long to stay registered as draining, in milliseconds: for others to see it and for requests that are under way.
   * Default: what it was registered with.
   */
  readonly graceMs?: number | undefined;
}

/** An instance that this process keeps registered. `await using` deregisters it at the end of the scope. */
export interface Registration<Metadata = InstanceMetadata> extends EventSource<RegistrationEvents>, AsyncDisposable {
  /** The instance as it is, or will be again after healing. */
  readonly instance: Instance<Metadata>;
  /** What the registration is doing now. Computed when asked: right after a stall too, before any event has told. */
  readonly state: RegistrationState;
  /** Resolves when the registration has ended: with the error if someone replaced it, with undefined otherwise. */
  readonly ended: Promise<ConclaveError | undefined>;
  /**
   * Changes the instance for everybody. One that failed for sure has changed nothing; one whose outcome is not known comes
   * into force as soon as the store can be reached.
   */
  update(patch: InstancePatch<Metadata>, options?: CallOptions): Promise<void>;
  /**
   * Leaves in order: marks the instance as about to leave, so that nobody sends it new requests, waits for the grace, and
   * takes it out of the store. `timeoutMs` bounds each call to the store, not the grace; an abort ends the waiting only, and
   * the instance stays as draining.
   */
  drain(options?: DrainOptions): Promise<void>;
  /**
   * Takes the instance out of the store at once. Those who watch can tell it from a crash. Should the store be out of reach
   * it rejects, and the instance is taken out in the background as soon as that can be done. Disposal does the same and
   * never throws.
   */
  deregister(options?: CallOptions): Promise<void>;
}

/** What a registration is made of. */
export interface RegistrationParts<Metadata> {
  /** Reads and writes. */
  readonly client: ClientView;
  /** Gives leases. */
  readonly session: SharedSession;
  /** Where the instance goes. */
  readonly store: InstanceStore<Metadata>;
  /** The instance. */
  readonly instance: StoredInstance<Metadata>;
  /** Whether an instance of the same id that someone else registered is replaced. */
  readonly replace: boolean;
  /** How long draining takes by default, in milliseconds. */
  readonly graceMs: number;
  /** Where to wait for the end of the process; undefined if it ends without leave. */
  readonly termination: Termination | undefined;
}

const healBackoff = { firstMs: 100, maxMs: 5_000 };
const graceSchema = z.number().min(0).optional();

/** Keeps one key alive on the shared session. */
export class LeasedRegistration<Metadata> implements Registration<Metadata> {
  readonly ended: Promise<ConclaveError | undefined>;
  readonly #parts: RegistrationParts<Metadata>;
  readonly #key: string;
  readonly #stopped = new AbortController();
  readonly #events = new IsolatedEmitter<RegistrationEvents>((error) => process.emitWarning(error));
  #stored: StoredInstance<Metadata>;
  #state: RegistrationState = "healing";
  /** The lease of the last write that is known to have been done. */
  #writtenOn = 0n;
  #work: Promise<unknown> = Promise.resolve();
  #leaving: Promise<void> = Promise.resolve();
  #finish: (reason: ConclaveError | undefined) => void = () => {};

  constructor(parts: RegistrationParts<Metadata>) {
    this.#parts = parts;
    this.#stored = parts.instance;
    this.#key = instanceKey(parts.store, parts.instance);
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get instance(): Instance<Metadata> {
    return publicInstance(this.#stored);
  }

  get state(): RegistrationState {
    // After a stall the lease may be over before any event has said so.
    return this.#state === "registered" && this.#parts.session.current === undefined ? "healing" : this.#state;
  }

  on: EventSource<RegistrationEvents>["on"] = (name, handler) => this.#events.on(name, handler);
  once: EventSource<RegistrationEvents>["once"] = (name, handler) => this.#events.once(name, handler);

  /** Writes the instance for the first time, and from then on with every new session. */
  async start(options: CallOptions): Promise<void> {
    const { session, replace } = this.#parts;
    await this.#inTurn(async () => this.#write(await session.ready(options), { ...options, replace }));
    this.#keep();
  }

  /** What is to be written for it, once there is a lease. */
  async toWrite(options: CallOptions): Promise<InstanceWrite> {
    const { lease } = await this.#parts.session.ready(options);
    return { key: this.#key, value: formatInstance(this.#stored), lease };
  }

  /** Keeps an instance that was written on a lease, from then on with every new session. */
  adopt(lease: bigint): void {
    this.#writtenOn = lease;
    this.#turn("registered");
    this.#keep();
  }

  /** Ends one that could not be started: whatever of it has reached the store, or will, is taken out in the background. */
  abandon(): void {
    if (!this.#hasEnded) this.#end("ended", undefined);
    void this.#leaveLater();
  }

  #keep(): void {
    const { session, termination } = this.#parts;
    const offs = [
      session.on("lost", () => this.#state === "registered" && this.#turn("healing")),
      session.on("session", (current) => void this.#inTurn(() => this.#heal(current))),
      termination?.add(() => this.drain()) ?? (() => {}),
    ];
    void this.ended.then(() => {
      for (const off of offs) off();
    });
    // A lease may have been lost and replaced while the instance was written.
    if (session.current !== undefined) void this.#inTurn(() => this.#healIfLost());
  }

  async update(patch: InstancePatch<Metadata>, options?: CallOptions): Promise<void> {
    await this.#change(checkPatch(patch, this.#parts.store.metadata), options);
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    const { graceMs = this.#parts.graceMs, ...callOptions } = options;
    check(graceSchema, graceMs, "grace");
    if (this.#hasEnded) return;
    await this.#change({ state: "draining" }, callOptions);
    this.#events.emit("draining");
    await this.#grace(graceMs, options.signal);
    await this.deregister(callOptions);
  }

  deregister(options?: CallOptions): Promise<void> {
    if (!this.#hasEnded) {
      this.#end("ended", undefined);
      this.#leaving = this.#leave(options);
    }
    // Whoever leaves again waits for the removal that is under way.
    return this.#leaving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What the scope threw must not be hidden behind this, and the removal goes on.
    await this.deregister().catch(() => {});
  }

  async #leave(options: CallOptions = {}): Promise<void> {
    try {
      await this.#inTurn(() => this.#remove(options));
    } catch (error) {
      void this.#leaveLater();
      throw error;
    }
    await this.#parts.session.close(options);
  }

  /**
   * Takes the instance out as soon as that can be done: its lease may be kept alive by others for as long as the process
   * lives. Ends with the client. Never rejects.
   */
  async #leaveLater(): Promise<void> {
    const { client, session } = this.#parts;
    const { random, scheduler } = client.ports;
    const never = new AbortController().signal;
    for (let failures = 1; ; failures++) {
      try {
        await this.#inTurn(() => this.#remove());
        break;
      } catch (error) {
        if (!isConclaveError(error) || error.code === "CLOSED") break;
      }
      await sleep(scheduler, fullJitterMs(random, healBackoff, failures), never);
    }
    await session.close().catch(() => {}); // The lease runs out by itself.
  }

  get #hasEnded(): boolean {
    return this.#state === "ended" || this.#state === "replaced";
  }

  async #grace(graceMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, scheduler } = this.#parts.client.ports;
    using scope = new CallScope(
      { clock, scheduler, closed: this.#stopped.signal },
      { signal, timeoutMs: Number.POSITIVE_INFINITY },
    );
    await sleep(scheduler, graceMs, scope.signal);
    if (scope.end === "aborted") throw scope.error("draining");
  }

  /** One write at a time, so that a healing never undoes a change. */
  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }

  async #change(
    patch: InstancePatch<Metadata> & { readonly state?: InstanceState },
    options: CallOptions = {},
  ): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#hasEnded) throw new ConclaveError("CLOSED", "The registration has ended");
      const before = this.#stored;
      this.#stored = { ...before, ...patch };
      try {
        await this.#write(await this.#parts.session.ready(options), options);
      } catch (error) {
        if (isConclaveError(error) && error.maybeApplied) this.#writeLater();
        else this.#stored = before;
        throw error;
      }
    });
  }

  /** Makes sure that the store has what the registration says, now that this is not known. */
  #writeLater(): void {
    this.#writtenOn = 0n;
    void this.#inTurn(() => this.#healIfLost());
  }

  /** Tries until it is written, the session is gone again, or the registration has ended. */
  async #heal(session: Session): Promise<void> {
    const { random, scheduler } = this.#parts.client.ports;
    using either = new LinkedSignal(this.#stopped.signal, session.signal);
    const { signal } = either;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#write(session, { signal });
        return;
      } catch {
        // Whatever it was, the instance has to be there in the end; a takeover has ended the registration.
        await sleep(scheduler, fullJitterMs(random, healBackoff, failures), signal);
      }
    }
  }

  async #healIfLost(): Promise<void> {
    const { current } = this.#parts.session;
    if (current !== undefined && current.lease !== this.#writtenOn) await this.#heal(current);
  }

  /** Writes the instance, but never over one that someone else registered. */
  async #write(
    session: Session,
    { replace = false, ...options }: CallOptions & { readonly replace?: boolean },
  ): Promise<void> {
    const { client } = this.#parts;
    const value = formatInstance(this.#stored);
    const put = op.put(this.#key, value, { lease: session.lease });
    for (;;) {
      const existing: KeyValue | undefined = await client.get(this.#key, options);
      // It is there already: the answer to an earlier try was lost.
      if (existing?.valueString === value && existing.lease === session.lease) break;
      if (existing !== undefined && !replace && !this.#isOwn(existing)) throw this.#taken();
      const unchanged = compare.modRevision(this.#key).equal(existing?.modRevision ?? 0);
      const { succeeded } = await client
        .txn()
        .if(unchanged)
        .then(put)
        .commit({ ...options, idempotent: true });
      if (succeeded) break;
    }
    this.#writtenOn = session.lease;
    if (this.#state === "healing") this.#turn("registered");
  }

  #isOwn(kv: KeyValue): boolean {
    return readInstance(this.#parts.store, kv)?.owner === this.#stored.owner;
  }

  #taken(): ConclaveError {
    const { service, id } = this.#stored;
    const error = new ConclaveError("ALREADY_EXISTS", `Instance "${id}" of "${service}" is registered by someone else`);
    if (this.#state !== "ended") this.#end("replaced", error);
    return error;
  }

  #end(state: "replaced" | "ended", reason: ConclaveError | undefined): void {
    this.#turn(state);
    this.#stopped.abort();
    this.#finish(reason);
  }

  #turn(state: RegistrationState): void {
    this.#state = state;
    this.#events.emit("state", state);
  }

  /** Deletes the key, once it says that the instance leaves: without that, those who watch would take it for a crash. */
  async #remove(options: CallOptions = {}): Promise<void> {
    const { client } = this.#parts;
    for (;;) {
      const existing = await client.get(this.#key, options);
      if (existing === undefined || !this.#isOwn(existing)) return;
      const isMarked = readInstance(this.#parts.store, existing)?.state === "draining";
      const leaving = formatInstance({ ...this.#stored, state: "draining" });
      const { succeeded } = await client
        .txn()
        .if(compare.modRevision(this.#key).equal(existing.modRevision))
        .then(isMarked ? op.delete(this.#key) : op.put(this.#key, leaving, { ignoreLease: true }))
        .commit({ ...options, idempotent: true });
      if (succeeded && isMarked) return;
    }
  }
}
