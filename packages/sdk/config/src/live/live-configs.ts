import {
  type CallOptions,
  type ClientView,
  type Codec,
  ConclaveError,
  type EventSource,
  IsolatedEmitter,
  isConclaveError,
  type KeyValue,
  prefix,
  type StandardSchema,
  type WatchBatch,
  type Watcher,
} from "@conclave/client";
import type { ConfigVersion } from "../config-version.ts";
import { type DocumentFormat, decodeValue, plainJson } from "../document/format.ts";
import { isDocumentKey } from "../document/keys.ts";
import { within } from "./within.ts";

/** How documents are followed together. */
export interface LiveConfigsOptions<Value> extends CallOptions {
  /** Checks each of them. */
  readonly schema: StandardSchema<Value>;
  /** As in {@link ConfigOptions.codec}. Default: JSON as text. */
  readonly codec?: Codec<unknown> | undefined;
}

/** What became of a document. */
export interface DocumentChange<Value> {
  /** Its key. */
  readonly key: string;
  /** What is in force; undefined if the document was deleted. */
  readonly current: ConfigVersion<Value> | undefined;
  /** What was in force before; undefined if nothing was. */
  readonly previous: ConfigVersion<Value> | undefined;
}

/** What documents that are followed together tell. */
export interface LiveConfigsEvents<Value> {
  /** Documents have changed: all that one revision changed together. */
  readonly change: readonly [changes: readonly DocumentChange<Value>[]];
  /** A document may not come into force; its last good value stays. */
  readonly rejected: readonly [error: ConclaveError, key: string];
  /** They are no longer followed; with the error, unless it was closed. */
  readonly end: readonly [error: ConclaveError | undefined];
  readonly [name: string]: readonly unknown[];
}

/**
 * All documents under a prefix, kept up to date by one watch without gaps. Gray releases and layers are not looked at.
 * Iterating gives the documents whenever some have changed; a slow consumer sees the latest, not every step to it.
 */
export interface LiveConfigs<Value>
  extends EventSource<LiveConfigsEvents<Value>>,
    AsyncIterable<ReadonlyMap<string, ConfigVersion<Value>>>,
    AsyncDisposable {
  /** What is in force, by key. */
  readonly current: ReadonlyMap<string, ConfigVersion<Value>>;
  /** Stops following. */
  close(): void;
}

/**
 * Follows every document whose key starts with something; resolves when what is stored has been looked at.
 *
 * @param start - what the keys start with, such as `config/service/orders/`; empty for the whole store
 */
export async function liveConfigs<Value>(
  client: ClientView,
  start: string,
  { schema, codec = plainJson, ...options }: LiveConfigsOptions<Value>,
): Promise<LiveConfigs<Value>> {
  const watcher = client.watch(prefix(start), { from: "snapshot", onCompaction: "resync", signal: options.signal });
  const configs = new WatchedConfigs(watcher, { schema, codec });
  try {
    await within(client, "opening configurations", options, configs.filled);
    return configs;
  } catch (error) {
    configs.close();
    throw error;
  }
}

class WatchedConfigs<Value> implements LiveConfigs<Value> {
  /** Resolves when what was stored at first has been looked at. */
  readonly filled: Promise<void>;
  readonly #watcher: Watcher;
  readonly #format: DocumentFormat<Value>;
  readonly #events = new IsolatedEmitter<LiveConfigsEvents<Value>>((error) => process.emitWarning(error));
  #byKey: ReadonlyMap<string, ConfigVersion<Value>> = new Map();
  #ended = false;
  #waiters: (() => void)[] = [];

  constructor(watcher: Watcher, format: DocumentFormat<Value>) {
    this.#watcher = watcher;
    this.#format = format;
    this.filled = new Promise((resolve, reject) => {
      this.#events.once("end", (error) => reject(error ?? new ConclaveError("CLOSED", "The documents were closed")));
      void this.#follow(resolve);
    });
    this.filled.catch(() => {}); // Whoever waits for it hears of it.
  }

  get current(): ReadonlyMap<string, ConfigVersion<Value>> {
    return this.#byKey;
  }

  on: EventSource<LiveConfigsEvents<Value>>["on"] = (name, handler) => this.#events.on(name, handler);
  once: EventSource<LiveConfigsEvents<Value>>["once"] = (name, handler) => this.#events.once(name, handler);

  async *[Symbol.asyncIterator](): AsyncGenerator<ReadonlyMap<string, ConfigVersion<Value>>, void, undefined> {
    for (let seen: unknown; ; ) {
      const { current } = this;
      if (current !== seen) {
        seen = current;
        yield current;
      } else if (this.#ended) return;
      else await new Promise<void>((resolve) => this.#waiters.push(resolve));
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
        await this.#apply(batch);
        onFilled();
      }
    } catch {
      // The watcher's `ended` carries the error.
    }
    this.#ended = true;
    this.#wake();
    this.#events.emit("end", await this.#watcher.ended);
  }

  async #apply({ events }: WatchBatch): Promise<void> {
    const changed = new Map(this.#byKey);
    const changes: DocumentChange<Value>[] = [];
    for (const { type, kv } of events) {
      const key = kv.keyString;
      const previous = changed.get(key);
      if (!isDocumentKey(key)) continue;
      const current = type === "put" ? await this.#read(kv, previous) : undefined;
      if (current === previous) continue;
      if (current === undefined) changed.delete(key);
      else changed.set(key, current);
      changes.push({ key, current, previous });
    }
    if (changes.length === 0) return;
    this.#byKey = changed;
    this.#wake();
    this.#events.emit("change", changes);
  }

  /** The document, or what was good before if it is bad. */
  async #read(kv: KeyValue, previous: ConfigVersion<Value> | undefined): Promise<ConfigVersion<Value> | undefined> {
    const { keyString: key, modRevision: revision } = kv;
    try {
      return { value: await decodeValue(this.#format, kv.value, { key, revision }), revision };
    } catch (error) {
      if (!isConclaveError(error)) throw error;
      this.#events.emit("rejected", error, key);
      return previous;
    }
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
