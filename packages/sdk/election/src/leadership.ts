import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  ForwardedOwnership,
  type MutationOptions,
  type Ownership,
  onAbort,
  op,
} from "@conclave/client";
import { readStanding } from "./candidate.ts";
import { assertSuccessor, type Handover, handOverKey } from "./handover.ts";

/** How leadership is handed over. */
export interface HandOverOptions extends CallOptions {
  /**
   * The id of the candidate to hand over to. Default: the one with the highest priority, among equals the one that has
   * stood for longest.
   */
  readonly to?: string | undefined;
  /**
   * Runs before, while this leader still leads, to finish what is under way. What it throws calls the handover off, and
   * the leader goes on leading. Default: nothing.
   */
  readonly drain?: (() => Promise<void>) | undefined;
}

/** Leading: {@link Ownership} of the election's name. */
export interface Leadership extends Ownership {
  /**
   * Changes what others see of the leader.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if someone else leads by now; nothing was written
   */
  proclaim(value: string, options?: MutationOptions): Promise<void>;
  /** Steps down; the next candidate leads at once. */
  resign(options?: CallOptions): Promise<void>;
  /**
   * Hands leadership over to a chosen candidate, ahead of those who have stood for longer. From the moment at which the
   * one transaction is sent that does it, `held` is false here: there is never a second leader, whatever becomes of the
   * answer. Should the one that is wanted go during the drain, the best that is left gets it.
   *
   * @throws ConclaveError `NO_CANDIDATE` if the one wanted, or anybody, does not stand, or only behind candidates that
   * cannot be passed over (see {@link Candidate.yields}); the leader goes on leading. After the drain as every write;
   * leadership has ended then.
   */
  handOver(options?: HandOverOptions): Promise<Handover>;
}

/** A leadership won: ownership of the name, given up before it is handed over. */
export class HeldLeadership extends ForwardedOwnership implements Leadership {
  readonly #client: ClientView;
  readonly #name: string;
  readonly #controller = new AbortController();
  readonly #ended: Promise<ConclaveError>;
  #resolveEnded: (reason: ConclaveError) => void = () => {};

  /**
   * @param client - what the election is made on
   * @param name - the election
   * @param ownership - of the election's name
   */
  constructor(client: ClientView, name: string, ownership: Ownership) {
    super(ownership);
    this.#client = client;
    this.#name = name;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const { signal } = ownership;
    if (signal.aborted) this.#end(signal.reason as ConclaveError);
    else onAbort(signal, () => this.#end(signal.reason as ConclaveError));
    void this.#watchKey();
  }

  override get held(): boolean {
    return !this.signal.aborted && super.held;
  }

  override get remainingMs(): number {
    return this.signal.aborted ? 0 : super.remainingMs;
  }

  override get signal(): AbortSignal {
    return this.#controller.signal;
  }

  override get ended(): Promise<ConclaveError> {
    return this.#ended;
  }

  override assertHeld(): void {
    if (this.signal.aborted) throw this.signal.reason;
    super.assertHeld();
  }

  async proclaim(value: string, options?: MutationOptions): Promise<void> {
    await this.txn([op.put(this.key, value, { lease: this.lease })], options);
  }

  resign(options?: CallOptions): Promise<void> {
    return this.release(options);
  }

  async handOver({ to, drain, ...options }: HandOverOptions = {}): Promise<Handover> {
    this.assertHeld();
    const { candidates } = await readStanding(this.#client, this.#name, options);
    assertSuccessor(
      this.#name,
      candidates.filter(({ key }) => key !== this.key),
      to,
    );
    await drain?.();
    return await this.pass({ ...options, to });
  }

  /** Hands over without asking first whether there is anybody: if there is not, it resigns. */
  async pass(options: Omit<HandOverOptions, "drain"> = {}): Promise<Handover> {
    this.assertHeld();
    this.#end(new ConclaveError("CLOSED", `Leadership of "${this.#name}" is handed over`));
    try {
      return await handOverKey(
        this.#client,
        { name: this.#name, key: this.key, fence: this.fence, lease: this.lease },
        options,
      );
    } finally {
      // What hangs on the lease is gone, or goes with it.
      const { to: _to, ...call } = options;
      await this.release(call).catch(() => {});
    }
  }

  /** Somebody may delete the key while its lease lives, as an operator does; then another one leads. Never rejects. */
  async #watchKey(): Promise<void> {
    const { key, fence, signal } = this;
    try {
      const options = { from: fence + 1, only: "delete", onCompaction: "resync", signal } as const;
      await using watcher = this.#client.watch(key, options);
      for await (const batch of watcher) {
        if (batch.kind === "resync" && batch.snapshot.some(({ createRevision }) => createRevision === fence)) continue;
        this.#end(new ConclaveError("OWNERSHIP_LOST", `Somebody has deleted the key "${key}" of the leader`));
        // Nothing else hangs on the lease but the note.
        return await this.release();
      }
    } catch {
      // Whether the watch or the release fails, the guard lets no deposed leader write.
    }
  }

  #end(reason: ConclaveError): void {
    if (this.signal.aborted) return;
    this.#controller.abort(reason);
    this.#resolveEnded(reason);
  }
}
