/**
 * @module Following a configuration. Watches say that something has changed; what it has become is read in one
 * transaction, so that documents published together, and layers, are never seen half. The watches have no gaps and
 * survive compactions, so a change is never missed, and whatever happens in between counts as one.
 */
import { isDeepStrictEqual } from "node:util";
import type { Timer } from "@conclave/base";
import {
  type ClientView,
  ConclaveError,
  fullJitterMs,
  IsolatedEmitter,
  isConclaveError,
  sleep,
  type Watcher,
} from "@conclave/client";
import type { InstanceIdentity, StoredGray } from "../document/gray.ts";
import { runningKey, valueRange } from "../document/keys.ts";
import { type Composition, type Effective, type EffectiveVersion, effectiveOf, graysFor } from "./composition.ts";
import { saveSnapshot } from "./last-known-good.ts";
import type { LiveConfig, LiveConfigEvents, LiveStatus } from "./live-config.ts";
import { Acknowledgement } from "./running.ts";
import { Signal } from "./signal.ts";
import { readSnapshot, type Snapshot } from "./snapshot.ts";

/** How to follow. */
export interface FollowerOptions {
  /** For whom. */
  readonly instance: InstanceIdentity | undefined;
  /** How long to wait for more changes, in milliseconds. */
  readonly debounceMs: number;
  /** The file to keep; undefined: none. */
  readonly path: string | undefined;
  /** Seconds after which an acknowledgement goes with the process; undefined: nothing is acknowledged. */
  readonly acknowledgeTtlSec: number | undefined;
  /** Ends it. */
  readonly signal: AbortSignal | undefined;
}

const readBackoff = { firstMs: 100, maxMs: 5_000 };
const debounceRounds = 10;
/** How long the end waits for the entry to be taken back; it goes with its lease anyway. */
const closeTimeoutMs = 2_000;
const timerStepMs = 1;

/** A configuration that is followed. */
export class ConfigFollower<Value> implements LiveConfig<Value> {
  /** Resolves when what was stored at first has been looked at. */
  readonly filled: Promise<void>;
  readonly #client: ClientView;
  readonly #composition: Composition<Value>;
  readonly #options: FollowerOptions;
  readonly #watchers: readonly Watcher[];
  readonly #acknowledgement: Acknowledgement | undefined;
  readonly #events = new IsolatedEmitter<LiveConfigEvents<Value>>((error) => process.emitWarning(error));
  readonly #signal = new Signal();
  readonly #closing = new AbortController();
  readonly #cut = new Set<Watcher>();
  #finished: Promise<unknown> = Promise.resolve();
  #turn: Promise<void> = Promise.resolve();
  #waiters: (() => void)[] = [];
  #status: LiveStatus = "coldStart";
  #unseen: number;
  #outdated = false;
  #snapshot: Snapshot | undefined;
  #effective: Effective<Value> | undefined;
  #changes = 0;
  #rejected: ConclaveError | undefined;
  #saved: string | undefined;
  #grayEnd: Timer | undefined;

  /**
   * @param client - the store
   * @param composition - what makes up the configuration
   * @param options - how to follow it
   */
  constructor(client: ClientView, composition: Composition<Value>, options: FollowerOptions) {
    this.#client = client;
    this.#composition = composition;
    this.#options = options;
    const { instance, acknowledgeTtlSec, signal } = options;
    if (instance !== undefined && acknowledgeTtlSec !== undefined)
      this.#acknowledgement = new Acknowledgement(client, runningKey(composition.name, instance.id), acknowledgeTtlSec);
    this.#unseen = composition.documents.length;
    this.#watchers = composition.documents.map(({ key }) =>
      client.watch(valueRange(key), { from: "snapshot", onCompaction: "resync", signal }),
    );
    this.filled = new Promise((resolve, reject) => {
      this.#events.once("end", (error) => reject(error ?? new ConclaveError("CLOSED", "The configuration was closed")));
      this.#follow(resolve).catch((error: unknown) => this.#fail(error));
    });
    this.filled.catch(() => {}); // Whoever waits for it hears of it.
    for (const watcher of this.#watchers) void this.#listen(watcher);
  }

  get current(): EffectiveVersion<Value> | undefined {
    return this.#effective?.version;
  }

  get status(): LiveStatus {
    return this.#status;
  }

  get rejected(): ConclaveError | undefined {
    return this.#rejected;
  }

  on<Name extends keyof LiveConfigEvents<Value> & string>(
    name: Name,
    handler: (...args: LiveConfigEvents<Value>[Name]) => unknown,
  ): () => void {
    return this.#events.on(name, handler);
  }

  once<Name extends keyof LiveConfigEvents<Value> & string>(
    name: Name,
    handler: (...args: LiveConfigEvents<Value>[Name]) => unknown,
  ): () => void {
    return this.#events.once(name, handler);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EffectiveVersion<Value>, void, undefined> {
    for (let seen = 0; ; ) {
      const { current } = this;
      if (current !== undefined && seen < this.#changes) {
        seen = this.#changes;
        yield current;
      } else if (this.#status === "ended") return;
      else await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  close(): void {
    this.#end(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#finished;
  }

  /** Takes what a file holds, unless the store has answered meanwhile. */
  async startFrom(snapshot: Snapshot): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#snapshot === undefined) await this.#apply(snapshot);
    });
  }

  // What the watches tell.

  async #listen(watcher: Watcher): Promise<void> {
    watcher.on("connected", () => this.#onConnection(watcher, true));
    watcher.on("disconnected", () => this.#onConnection(watcher, false));
    let isFirst = true;
    try {
      for await (const _batch of watcher) {
        if (isFirst) this.#unseen -= 1;
        isFirst = false;
        this.#outdated = true;
        if (this.#unseen === 0) this.#signal.notify();
      }
    } catch {
      // The watcher's `ended` carries the error.
    }
    this.#end(await watcher.ended);
  }

  #onConnection(watcher: Watcher, stands: boolean): void {
    if (stands) this.#cut.delete(watcher);
    else this.#cut.add(watcher);
    if (this.#snapshot !== undefined) this.#becomeCurrent();
  }

  #becomeCurrent(): void {
    this.#become(this.#cut.size === 0 ? "following" : "interrupted");
  }

  #become(status: LiveStatus): void {
    if (this.#status === status || this.#status === "ended") return;
    this.#status = status;
    this.#events.emit("status", status);
  }

  // What comes of it.

  async #follow(onFilled: () => void): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#signal.wait();
      if (this.#outdated) await this.#refresh();
      const snapshot = this.#snapshot;
      if (snapshot === undefined || signal.aborted) continue;
      await this.#inTurn(() => this.#apply(snapshot));
      await this.#save(snapshot);
      this.#becomeCurrent();
      onFilled();
    }
  }

  async #refresh(): Promise<void> {
    if (this.#snapshot !== undefined) await this.#debounce();
    this.#outdated = false;
    const { random, scheduler } = this.#client.ports;
    const { signal } = this.#closing;
    const keys = this.#composition.documents.map(({ key }) => key);
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        this.#snapshot = await readSnapshot(this.#client, keys, { signal });
        return;
      } catch (error) {
        if (!(error instanceof ConclaveError && error.retryable)) throw error;
      }
      await sleep(scheduler, fullJitterMs(random, readBackoff, failures), signal);
    }
  }

  async #debounce(): Promise<void> {
    const { scheduler } = this.#client.ports;
    const { debounceMs } = this.#options;
    for (let rounds = 0; debounceMs > 0 && this.#outdated && rounds < debounceRounds; rounds++) {
      this.#outdated = false;
      await sleep(scheduler, debounceMs, this.#closing.signal);
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work);
    return this.#turn;
  }

  async #apply(snapshot: Snapshot): Promise<void> {
    const nowMs = this.#client.ports.clock.wallMs();
    const grays = graysFor(snapshot, { instance: this.#options.instance, nowMs });
    this.#armGrayEnd(snapshot, grays, nowMs);
    const { effective, error } = await this.#judge(snapshot, grays);
    if (this.#closing.signal.aborted) return;
    if (effective !== undefined) this.#take(effective);
    this.#reject(error);
    const { version } = this.#effective ?? {};
    this.#acknowledgement?.tell({
      revision: version?.revision,
      gray: version?.gray ?? false,
      rejected: error?.message,
    });
  }

  /** What a snapshot comes to: a bad gray value does not keep the instance from the published one. */
  async #judge(snapshot: Snapshot, grays: readonly (StoredGray | undefined)[]): Promise<Judgement<Value>> {
    const judged = await this.#compose(snapshot, grays);
    if (judged.error === undefined || grays.every((gray) => gray === undefined)) return judged;
    const { effective } = await this.#compose(snapshot, []);
    return { effective, error: judged.error };
  }

  async #compose(snapshot: Snapshot, grays: readonly (StoredGray | undefined)[]): Promise<Judgement<Value>> {
    try {
      const effective = await effectiveOf(this.#composition, snapshot, grays);
      return { effective, error: effective === undefined ? this.#absence() : undefined };
    } catch (error) {
      if (error instanceof ConclaveError) return { effective: undefined, error };
      throw error;
    }
  }

  #absence(): ConclaveError | undefined {
    if (this.#effective === undefined) return undefined;
    return new ConclaveError("NOT_FOUND", `"${this.#composition.name}" was deleted`);
  }

  #take(effective: Effective<Value>): void {
    const before = this.#effective;
    if (before !== undefined && isDeepStrictEqual(before.json, effective.json)) {
      this.#effective = { json: before.json, version: { ...effective.version, value: before.version.value } };
      return;
    }
    this.#effective = effective;
    this.#changes += 1;
    this.#wake();
    this.#events.emit("change", { ...effective.version, previous: before?.version });
  }

  #reject(error: ConclaveError | undefined): void {
    const isKnown = error?.message === this.#rejected?.message;
    this.#rejected = error;
    if (error !== undefined && !isKnown) this.#events.emit("rejected", error);
  }

  /** Looks again when the first gray value ends: at what was read last, as nobody may be there to be asked. */
  #armGrayEnd(snapshot: Snapshot, grays: readonly (StoredGray | undefined)[], nowMs: number): void {
    this.#grayEnd?.cancel();
    const ends = grays.flatMap((gray) => (gray === undefined ? [] : [gray.endsAtMs]));
    if (ends.length === 0 || this.#closing.signal.aborted) return;
    const leftMs = Math.max(timerStepMs, Math.min(...ends) - nowMs);
    const look = () => void this.#inTurn(() => this.#apply(snapshot)).catch((error) => this.#fail(error));
    this.#grayEnd = this.#client.ports.scheduler.after(leftMs, look, { background: true });
  }

  async #save(snapshot: Snapshot): Promise<void> {
    const { path } = this.#options;
    if (path === undefined || this.#rejected !== undefined || this.#effective === undefined) return;
    const revisions = JSON.stringify(snapshot.documents.map(({ base, gray }) => [base?.revision, gray?.revision]));
    if (revisions === this.#saved) return;
    try {
      await saveSnapshot(path, snapshot);
      this.#saved = revisions;
    } catch (cause) {
      const message = `Cannot write the last known good configuration to "${path}": ${String(cause)}`;
      this.#events.emit("fileFailed", new ConclaveError("INTERNAL", message, { cause }));
    }
  }

  // How it ends.

  #fail(cause: unknown): void {
    const message = `The configuration "${this.#composition.name}" failed: ${String(cause)}`;
    this.#end(isConclaveError(cause) ? cause : new ConclaveError("INTERNAL", message, { cause }));
  }

  #end(error: ConclaveError | undefined): void {
    if (this.#status === "ended") return;
    this.#become("ended");
    this.#closing.abort();
    this.#grayEnd?.cancel();
    for (const watcher of this.#watchers) watcher.close();
    this.#finished = this.#acknowledgement?.close({ timeoutMs: closeTimeoutMs }) ?? Promise.resolve();
    this.#signal.notify();
    this.#wake();
    this.#events.emit("end", error);
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

interface Judgement<Value> {
  readonly effective: Effective<Value> | undefined;
  readonly error: ConclaveError | undefined;
}
