import {
  type CallOptions,
  type ClientView,
  type ConclaveError,
  type EventSource,
  IsolatedEmitter,
  type KeyValue,
  prefix,
  type WatchBatch,
  type Watcher,
} from "@conclave/client";
import { type Instance, parseInstance, publicInstance } from "./instance.ts";

/** One change of a live set. */
export interface InstanceChange {
  /** What happened. */
  readonly type: "added" | "updated" | "removed";
  /** The instance; of a removal, as it was. */
  readonly instance: Instance;
}

/** What a live set tells. */
export interface LiveSetEvents {
  /** The set has changed: all changes of one revision together. */
  readonly change: readonly [changes: readonly InstanceChange[], set: LiveSet];
  /** A key of the service holds no instance; it is left out of the set. */
  readonly invalid: readonly [key: string];
  /** The set is no longer fed; with the error, unless it was closed. */
  readonly end: readonly [error: ConclaveError | undefined];
  readonly [name: string]: readonly unknown[];
}

/** Which instances to list. */
export interface InstanceFilter {
  /** Whether instances that are about to leave are listed too; default: false. */
  readonly draining?: boolean;
}

/**
 * The instances of a service, kept up to date by one watch without gaps. Iterating gives the set whenever it has
 * changed; a slow consumer sees the latest set, not every step to it.
 */
export interface LiveSet extends EventSource<LiveSetEvents>, AsyncIterable<readonly Instance[]>, AsyncDisposable {
  /** The revision the set is of. */
  readonly revision: number;
  /** The instances now, ordered by service and id. */
  instances(filter?: InstanceFilter): readonly Instance[];
  /** Ends the watch. */
  close(): void;
}

/**
 * Opens a live set and waits until it is filled.
 *
 * @param keys - what the keys of the instances start with
 */
export async function openLiveSet(client: ClientView, keys: string, options: CallOptions): Promise<LiveSet> {
  const watcher = client.watch(prefix(keys), { from: "snapshot", onCompaction: "resync", signal: options.signal });
  const set = new WatchedSet(watcher);
  try {
    await watcher.ready(options);
    await set.filled;
  } catch (error) {
    watcher.close();
    throw error;
  }
  return set;
}

class WatchedSet implements LiveSet {
  /** Resolves when the first snapshot is in. */
  readonly filled: Promise<void>;
  readonly #watcher: Watcher;
  readonly #events = new IsolatedEmitter<LiveSetEvents>((error) => process.emitWarning(error));
  readonly #byKey = new Map<string, Instance>();
  #revision = 0;
  #version = 0;
  #ended = false;
  #waiters: (() => void)[] = [];

  constructor(watcher: Watcher) {
    this.#watcher = watcher;
    this.filled = new Promise((resolve, reject) => {
      this.#follow(resolve).then(() => reject(new Error("the watch ended before the set was filled")), reject);
    });
    this.filled.catch(() => {});
  }

  get revision(): number {
    return this.#revision;
  }

  instances({ draining = false }: InstanceFilter = {}): readonly Instance[] {
    const all = [...this.#byKey.entries()]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, instance]) => instance);
    return draining ? all : all.filter(({ state }) => state === "up");
  }

  on<Name extends keyof LiveSetEvents & string>(
    name: Name,
    handler: (...args: LiveSetEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, handler);
  }

  once<Name extends keyof LiveSetEvents & string>(
    name: Name,
    handler: (...args: LiveSetEvents[Name]) => void,
  ): () => void {
    return this.#events.once(name, handler);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Instance[], void, undefined> {
    for (let seen = -1; ; ) {
      if (seen === this.#version) {
        if (this.#ended) return;
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
        continue;
      }
      seen = this.#version;
      yield this.instances({ draining: true });
    }
  }

  close(): void {
    this.#watcher.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#watcher.ended;
  }

  async #follow(onFilled: () => void): Promise<void> {
    try {
      for await (const batch of this.#watcher) {
        this.#apply(batch);
        onFilled();
      }
    } catch {
      // The watcher's `ended` carries the error.
    }
    this.#ended = true;
    this.#wake();
    this.#events.emit("end", await this.#watcher.ended);
  }

  #apply(batch: WatchBatch): void {
    this.#revision = batch.revision;
    const changes = batch.events.flatMap(({ type, kv }) =>
      type === "put" ? this.#put(kv) : this.#delete(kv.keyString),
    );
    if (changes.length === 0) return;
    this.#version += 1;
    this.#wake();
    this.#events.emit("change", changes, this);
  }

  #put(kv: KeyValue): InstanceChange[] {
    const stored = parseInstance(kv);
    if (stored === undefined) {
      this.#events.emit("invalid", kv.keyString);
      return this.#delete(kv.keyString);
    }
    const instance = publicInstance(stored);
    const type = this.#byKey.has(kv.keyString) ? "updated" : "added";
    this.#byKey.set(kv.keyString, instance);
    return [{ type, instance }];
  }

  #delete(key: string): InstanceChange[] {
    const instance = this.#byKey.get(key);
    if (instance === undefined) return [];
    this.#byKey.delete(key);
    return [{ type: "removed", instance }];
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
