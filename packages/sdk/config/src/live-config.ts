import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  type EventSource,
  IsolatedEmitter,
  type KeyValue,
  type Watcher,
} from "@conclave/client";

/** A value with the revision that wrote it. */
export interface ConfigVersion<Value> {
  /** The value, as the schema read it. */
  readonly value: Value;
  /** The revision that wrote it; for {@link PublishOptions.ifRevision}. */
  readonly revision: number;
}

/** What a live configuration tells. */
export interface LiveConfigEvents<Value> {
  /** There is a new valid value, different from the one before. */
  readonly change: readonly [version: ConfigVersion<Value>];
  /** Someone wrote a value that the schema refuses; the last good one stays in force. */
  readonly invalid: readonly [error: ConclaveError];
  /** The value is no longer followed; with the error, unless it was closed. */
  readonly end: readonly [error: ConclaveError | undefined];
  readonly [name: string]: readonly unknown[];
}

/**
 * A configuration that follows what is published. Iterating gives the value in force and then each later one; a slow
 * consumer sees the latest, not every step to it.
 */
export interface LiveConfig<Value>
  extends EventSource<LiveConfigEvents<Value>>,
    AsyncIterable<ConfigVersion<Value>>,
    AsyncDisposable {
  /** The value in force: the last good one; undefined before there is one. */
  readonly current: ConfigVersion<Value> | undefined;
  /** Stops following. */
  close(): void;
}

/** Reads a stored pair, or throws why it is no valid value. */
export type Decode<Value> = (kv: KeyValue) => Promise<Value>;

/** Opens a live configuration and waits until what is stored has been looked at. */
export async function openLiveConfig<Value>(
  client: ClientView,
  key: string,
  decode: Decode<Value>,
  options: CallOptions,
): Promise<LiveConfig<Value>> {
  const watcher = client.watch(key, { from: "snapshot", onCompaction: "resync", signal: options.signal });
  const live = new WatchedConfig(watcher, decode);
  try {
    await watcher.ready(options);
    await live.filled;
  } catch (error) {
    watcher.close();
    throw error;
  }
  return live;
}

class WatchedConfig<Value> implements LiveConfig<Value> {
  /** Resolves when what was stored at first has been looked at. */
  readonly filled: Promise<void>;
  readonly #watcher: Watcher;
  readonly #decode: Decode<Value>;
  readonly #events = new IsolatedEmitter<LiveConfigEvents<Value>>((error) => process.emitWarning(error));
  #current: ConfigVersion<Value> | undefined;
  #currentText: string | undefined;
  #ended = false;
  #waiters: (() => void)[] = [];

  constructor(watcher: Watcher, decode: Decode<Value>) {
    this.#watcher = watcher;
    this.#decode = decode;
    this.filled = new Promise((resolve, reject) => {
      this.#follow(resolve).then(() => reject(new ConclaveError("CLOSED", "The configuration was closed")), reject);
    });
    this.filled.catch(() => {}); // Whoever waits for it hears of it.
  }

  get current(): ConfigVersion<Value> | undefined {
    return this.#current;
  }

  on<Name extends keyof LiveConfigEvents<Value> & string>(
    name: Name,
    handler: (...args: LiveConfigEvents<Value>[Name]) => void,
  ): () => void {
    return this.#events.on(name, handler);
  }

  once<Name extends keyof LiveConfigEvents<Value> & string>(
    name: Name,
    handler: (...args: LiveConfigEvents<Value>[Name]) => void,
  ): () => void {
    return this.#events.once(name, handler);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ConfigVersion<Value>, void, undefined> {
    let seen: ConfigVersion<Value> | undefined;
    for (;;) {
      const current = this.#current;
      if (current !== undefined && current !== seen) {
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
      for await (const { events } of this.#watcher) {
        for (const { type, kv } of events) if (type === "put") await this.#take(kv);
        onFilled();
      }
    } catch {
      // The watcher's `ended` carries the error.
    }
    this.#ended = true;
    this.#wake();
    this.#events.emit("end", await this.#watcher.ended);
  }

  async #take(kv: KeyValue): Promise<void> {
    if (kv.valueString === this.#currentText) return;
    try {
      const version = { value: await this.#decode(kv), revision: kv.modRevision };
      this.#current = version;
      this.#currentText = kv.valueString;
      this.#wake();
      this.#events.emit("change", version);
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error;
      this.#events.emit("invalid", error);
    }
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
