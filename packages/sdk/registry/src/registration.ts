import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  compare,
  fullJitterMs,
  type KeyValue,
  op,
  type Session,
  type SharedSession,
  sleep,
} from "@conclave/client";
import {
  checkPatch,
  formatInstance,
  type Instance,
  type InstancePatch,
  type InstanceState,
  parseInstance,
  publicInstance,
  type StoredInstance,
} from "./instance.ts";

/** What a registration is doing: present in the set, absent while its lease is renewed, taken over, or over. */
export type RegistrationState = "registered" | "healing" | "replaced" | "ended";

/** An instance that this process keeps registered. `await using` deregisters it at the end of the scope. */
export interface Registration extends AsyncDisposable {
  /** The instance as it is, or will be again after healing. */
  readonly instance: Instance;
  /** What the registration is doing now. */
  readonly state: RegistrationState;
  /** Resolves when the registration has ended: with the error if someone replaced it, with undefined otherwise. */
  readonly ended: Promise<ConclaveError | undefined>;
  /** Changes the instance for everybody. */
  update(patch: InstancePatch, options?: CallOptions): Promise<void>;
  /** Marks the instance as about to leave: it stays visible, and no new requests should go to it. */
  drain(options?: CallOptions): Promise<void>;
  /** Takes the instance out of the set at once. */
  deregister(options?: CallOptions): Promise<void>;
}

/** What a registration is made of. */
export interface RegistrationParts {
  readonly client: ClientView;
  readonly session: SharedSession;
  readonly key: string;
  readonly instance: StoredInstance;
  /** Whether an instance of the same id that someone else registered is replaced. */
  readonly replace: boolean;
}

const healBackoff = { firstMs: 100, maxMs: 5_000 };

/** Keeps one key alive on the shared session, and writes it again for ever when its lease was lost. */
export class LeasedRegistration implements Registration {
  readonly ended: Promise<ConclaveError | undefined>;
  readonly #parts: RegistrationParts;
  readonly #stopped = new AbortController();
  #stored: StoredInstance;
  #state: RegistrationState = "healing";
  #work: Promise<unknown> = Promise.resolve();
  #finish: (reason: ConclaveError | undefined) => void = () => {};

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
    this.#stored = parts.instance;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get instance(): Instance {
    return publicInstance(this.#stored);
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** Writes the instance for the first time, and from then on with every new session. */
  async start(options: CallOptions): Promise<void> {
    const { session, replace } = this.#parts;
    await this.#inTurn(async () => this.#write(await session.ready(options), { ...options, replace }));
    const offs = [
      session.on("lost", () => {
        if (this.#state === "registered") this.#state = "healing";
      }),
      session.on("session", (current) => void this.#inTurn(() => this.#heal(current))),
    ];
    void this.ended.then(() => {
      for (const off of offs) off();
    });
  }

  update(patch: InstancePatch, options?: CallOptions): Promise<void> {
    const checked = checkPatch(patch);
    return this.#change(checked, options);
  }

  drain(options?: CallOptions): Promise<void> {
    return this.#change({ state: "draining" }, options);
  }

  async deregister(options?: CallOptions): Promise<void> {
    if (this.#state === "ended" || this.#state === "replaced") return;
    this.#end("ended", undefined);
    await this.#inTurn(() => this.#remove(options));
    await this.#parts.session.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.deregister();
  }

  /** One write at a time, so that a healing never undoes a change. */
  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }

  async #change(patch: InstancePatch & { readonly state?: InstanceState }, options: CallOptions = {}): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#state === "ended" || this.#state === "replaced")
        throw new ConclaveError("CLOSED", "The registration has ended");
      this.#stored = { ...this.#stored, ...patch };
      await this.#write(await this.#parts.session.ready(options), options);
    });
  }

  /** Tries until it is written, the session is gone again, or the registration has ended. */
  async #heal(session: Session): Promise<void> {
    const { client } = this.#parts;
    const signal = AbortSignal.any([this.#stopped.signal, session.signal]);
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#write(session, { signal });
        return;
      } catch {
        // Whatever it was, the instance has to be there in the end; a takeover has ended the registration.
        await sleep(client.ports.scheduler, fullJitterMs(client.ports.random, healBackoff, failures), signal);
      }
    }
  }

  /** Writes the instance, but never over one that someone else registered. */
  async #write(
    session: Session,
    { replace = false, ...options }: CallOptions & { readonly replace?: boolean },
  ): Promise<void> {
    const { client, key } = this.#parts;
    const put = op.put(key, formatInstance(this.#stored), { lease: session.lease });
    for (;;) {
      const existing: KeyValue | undefined = await client.get(key, options);
      if (existing !== undefined && !replace && !this.#isOwn(existing)) throw this.#taken();
      const unchanged = compare.modRevision(key).equal(existing?.modRevision ?? 0);
      const { succeeded } = await client
        .txn()
        .if(unchanged)
        .then(put)
        .commit({ ...options, idempotent: true });
      if (succeeded) break;
    }
    if (this.#state === "healing") this.#state = "registered";
  }

  #isOwn(kv: KeyValue): boolean {
    return parseInstance(kv)?.owner === this.#stored.owner;
  }

  #taken(): ConclaveError {
    const { service, id } = this.#stored;
    const error = new ConclaveError("ALREADY_EXISTS", `Instance "${id}" of "${service}" is registered by someone else`);
    if (this.#state !== "ended") this.#end("replaced", error);
    return error;
  }

  #end(state: "replaced" | "ended", reason: ConclaveError | undefined): void {
    this.#state = state;
    this.#stopped.abort();
    this.#finish(reason);
  }

  async #remove(options: CallOptions = {}): Promise<void> {
    const { client, key } = this.#parts;
    const existing = await client.get(key, options);
    if (existing === undefined || !this.#isOwn(existing)) return;
    const unchanged = compare.modRevision(key).equal(existing.modRevision);
    await client
      .txn()
      .if(unchanged)
      .then(op.delete(key))
      .commit({ ...options, idempotent: true });
  }
}
