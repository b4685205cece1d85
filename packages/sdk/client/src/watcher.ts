/** @module One watch of a user: where its batches wait, how it survives what happens to the stream. */
import type { Timer } from "@conclave/base";
import { wireErrorName } from "@conclave/protocol";
import {
  WatchCreateRequest_FilterType as FilterType,
  type WatchCreateRequest,
  type WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import * as z from "zod";
import { type Backoff, fullJitterMs } from "./backoff.ts";
import { BatchQueue } from "./batch-queue.ts";
import { abortedError, type CallOptions, CallScope, sleep } from "./call-scope.ts";
import { ConclaveError, isConclaveError } from "./conclave-error.ts";
import { wireFailures } from "./error-codes.ts";
import { type EventSource, type HandlerErrorSink, IsolatedEmitter } from "./isolated-emitter.ts";
import type { KeyRange, RangeInput } from "./key-range.ts";
import { headerOf, type KeyValue } from "./key-value.ts";
import type { Keyspace } from "./keyspace.ts";
import type { Kv } from "./kv.ts";
import { onAbort } from "./on-abort.ts";
import type { RevisionFloor } from "./revision-floor.ts";
import type { CallPorts } from "./unary-run.ts";
import { callFields, count, rangeInput, validate } from "./validate.ts";
import { WatchAssembler, type WatchStep } from "./watch-assembler.ts";
import { toWatchEvent, type WatchBatch, type WatchEvent } from "./watch-batch.ts";
import type { WatchMux, WatchSubscriber, WatchSubscription } from "./watch-mux.ts";
import { WatchView } from "./watch-view.ts";

/** How to watch. */
export interface WatchOptions {
  /**
   * Where to begin. `"now"`: with what happens after the watch stands (see {@link Watcher.ready}). A number: with
   * that revision (0: now); to go on after a batch, its `revision + 1`. `"snapshot"`: with a `resync` batch that holds
   * what is there, then with what happens to it. Default: `"now"`.
   */
  readonly from?: "now" | "snapshot" | number | undefined;
  /**
   * What to do when the history that is needed has been compacted. `"error"`: end with `COMPACTED`. `"resync"`:
   * read what is there, tell the difference to what was told before as a `resync` batch, and go on; costs a
   * revision per key of memory. Default: `"resync"` if `from` is `"snapshot"`, else `"error"`.
   */
  readonly onCompaction?: "error" | "resync" | undefined;
  /** Tell what each key was before; default: false. */
  readonly prevKv?: boolean | undefined;
  /** Tell only puts, or only deletions; default: both. */
  readonly only?: "put" | "delete" | undefined;
  /** Deliver `progress` batches too; default: false. */
  readonly progress?: boolean | undefined;
  /**
   * How many events may wait for the consumer, at least 1; default: 8 192. One revision is never cut, so one
   * that has more may exceed it.
   */
  readonly bufferEvents?: number | undefined;
  /**
   * What to do when that many wait. `"backpressure"`: stop the watch on the member and go on from the cursor when
   * half has been consumed; other watches are not slowed. `"fail"`: end with `SLOW_CONSUMER` after what waits.
   * Default: `"backpressure"`.
   */
  readonly overflow?: "backpressure" | "fail" | undefined;
  /** Ends the watch with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** The events of a watch. Handlers of `batch`, `put` and `delete` consume it, in place of an iteration. */
export type WatchEvents = {
  /** A batch, whole. */
  batch: [batch: WatchBatch];
  /** One put of a batch. */
  put: [event: WatchEvent, batch: WatchBatch];
  /** One deletion of a batch. */
  delete: [event: WatchEvent, batch: WatchBatch];
  /** The watch stands on a member: at first, and after every reconnection. */
  connected: [];
  /** The stream is gone; the watch goes on from its cursor when there is another. */
  disconnected: [error: ConclaveError];
  /** The watch has ended: closed if there is no error. */
  end: [error: ConclaveError | undefined];
};

/**
 * A watch. Consume it by iterating (once), or by handlers of its events; not both. Leaving the iteration closes
 * it.
 *
 * @example
 * ```ts
 * for await (const batch of client.watch(prefix("app/"), { from: "snapshot" }))
 *   for (const event of batch.events) console.log(event.type, event.kv.keyString);
 * ```
 */
export interface Watcher extends AsyncIterable<WatchBatch, undefined>, EventSource<WatchEvents>, AsyncDisposable {
  /** The last revision that was handed to the consumer whole; undefined before there is one. */
  readonly cursor: number | undefined;
  /** How many events wait for the consumer. */
  readonly bufferedEvents: number;
  /**
   * Resolves when the watch stands for the first time, with the revision after which everything is told.
   *
   * @throws the error the watch ended with
   */
  ready(options?: CallOptions): Promise<number>;
  /** Resolves when the watch has ended: with the error, or with undefined if it was closed. Never rejects. */
  readonly ended: Promise<ConclaveError | undefined>;
  /** Ends the watch; what waits is dropped. */
  close(): void;
}

/** What a watch is made with. */
export interface WatcherPorts {
  /** Clock, timers, randomness. */
  readonly ports: CallPorts;
  /** The stream. */
  readonly mux: WatchMux;
  /** Reads for snapshots. */
  readonly kv: Kv;
  /** The keys seen. */
  readonly space: Keyspace;
  /** Learns the revisions seen. */
  readonly floor: RevisionFloor;
  /** Takes what handlers throw. */
  readonly onHandlerError: HandlerErrorSink;
}

const retryBackoff: Backoff = { firstMs: 100, maxMs: 5_000 };
const bufferEventsDefault = 8_192;

const watchSchema = z.strictObject({
  signal: callFields.signal,
  from: z.union([z.enum(["now", "snapshot"]), count]).optional(),
  onCompaction: z.enum(["error", "resync"]).optional(),
  prevKv: z.boolean().optional(),
  only: z.enum(["put", "delete"]).optional(),
  progress: z.boolean().optional(),
  bufferEvents: z.number().int().min(1).optional(),
  overflow: z.enum(["backpressure", "fail"]).optional(),
});

/** Starts a watch. */
export function createWatcher(made: WatcherPorts, range: RangeInput, options: WatchOptions = {}): Watcher {
  validate(rangeInput, range, "range");
  validate(watchSchema, options, "options of a watch");
  const watcher = new StreamWatcher(made, range, options);
  watcher.start();
  return watcher;
}

class StreamWatcher implements Watcher, WatchSubscriber {
  readonly ended: Promise<ConclaveError | undefined>;
  readonly #made: WatcherPorts;
  readonly #input: RangeInput;
  readonly #range: KeyRange;
  readonly #options: WatchOptions;
  readonly #queue = new BatchQueue<WatchBatch>((batch) => batch.events.length + 1);
  readonly #events: IsolatedEmitter<WatchEvents>;
  readonly #assembler: WatchAssembler;
  readonly #view: WatchView | undefined;
  readonly #closing = new AbortController();
  readonly #unlisten: (() => void)[] = [];
  readonly #whenReady = new Set<(revision: number) => void>();
  #resolveEnded: (error: ConclaveError | undefined) => void = () => {};
  #subscription: WatchSubscription | undefined;
  #retry: Timer | undefined;
  #readyRevision: number | undefined;
  #cursor: number | undefined;
  #full = false;
  #consumer: "none" | "iterator" | "handlers" = "none";
  #end: { readonly error: ConclaveError | undefined } | undefined;

  constructor(made: WatcherPorts, range: RangeInput, options: WatchOptions) {
    this.#made = made;
    this.#input = range;
    this.#range = made.space.range(range);
    this.#options = options;
    this.#events = new IsolatedEmitter(made.onHandlerError);
    this.#assembler = new WatchAssembler(
      typeof options.from === "number" && options.from > 0 ? options.from - 1 : undefined,
    );
    const resync = options.onCompaction ?? (options.from === "snapshot" ? "resync" : "error");
    this.#view = resync === "resync" || options.from === "snapshot" ? new WatchView() : undefined;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  start(): void {
    const { signal } = this.#options;
    if (signal !== undefined) this.#endWith(signal, () => abortedError("The watch", signal));
    this.#endWith(this.#made.ports.closed, () => new ConclaveError("CLOSED", "The client was closed"));
    if (this.#end !== undefined) return;
    if (this.#options.from === "snapshot") void this.#resync();
    else if (this.#view !== undefined) void this.#loadView(this.#view);
    else this.#subscribe();
  }

  get cursor(): number | undefined {
    return this.#cursor;
  }

  get bufferedEvents(): number {
    return this.#queue.size - this.#queue.length;
  }

  async ready(options: CallOptions = {}): Promise<number> {
    const { ports } = this.#made;
    using scope = new CallScope(ports, { ...options, timeoutMs: options.timeoutMs ?? ports.timeoutMs });
    if (this.#readyRevision !== undefined) return this.#readyRevision;
    scope.throwIfEnded("waiting for a watch");
    return await new Promise((resolve, reject) => {
      this.#whenReady.add(resolve);
      void this.ended.then((error) => reject(error ?? new ConclaveError("CLOSED", "The watch was closed")));
      scope.signal.addEventListener("abort", () => {
        this.#whenReady.delete(resolve);
        reject(scope.error("waiting for a watch"));
      });
    });
  }

  on: EventSource<WatchEvents>["on"] = (name, handler) => {
    if (name === "batch" || name === "put" || name === "delete") this.#startHandlers();
    return this.#events.on(name, handler);
  };

  once: EventSource<WatchEvents>["once"] = (name, handler) => {
    if (name === "batch" || name === "put" || name === "delete") this.#startHandlers();
    return this.#events.once(name, handler);
  };

  close(): void {
    this.#finish(undefined, { drop: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch, undefined> {
    this.#claim("iterator");
    return {
      next: async () => {
        const batch = await this.#take();
        return batch === undefined ? { done: true, value: undefined } : { done: false, value: batch };
      },
      return: async () => {
        this.close();
        return { done: true, value: undefined };
      },
    };
  }

  // What the stream tells.

  createRequest(): WatchCreateRequest {
    return {
      ...this.#range,
      startRevision: BigInt(this.#assembler.startRevision),
      progressNotify: true,
      filters: filtersOf(this.#options),
      prevKv: this.#options.prevKv ?? false,
      watchId: 0n,
      fragment: true,
    };
  }

  onResponse(response: WatchResponse): void {
    for (const step of this.#assembler.accept(response)) {
      this.#onStep(step, response);
      // Steps not drawn leave the cursor where it is: their events come again.
      if (this.#full || this.#end !== undefined) break;
    }
  }

  onProgress(revision: number): void {
    for (const _step of this.#assembler.acceptProgress(revision)) this.#onProgressStep(revision);
  }

  onDisconnected(error: ConclaveError): void {
    this.#assembler.interrupt();
    this.#events.emit("disconnected", error);
  }

  onRefused(error: ConclaveError): void {
    this.#subscription = undefined;
    this.#fail(error);
  }

  #onStep(step: WatchStep, response: WatchResponse): void {
    switch (step.kind) {
      case "created":
        this.#becomeReady(step.revision);
        this.#events.emit("connected");
        return;
      case "batch":
        this.#made.floor.observe({ ...headerOf(response), revision: step.revision });
        this.#deliverEvents(
          step.revision,
          step.events.map((event) => toWatchEvent(event, this.#made.space)),
        );
        return;
      case "progress":
        this.#onProgressStep(step.revision);
        return;
      case "canceled":
        this.#onCanceled(step);
    }
  }

  #deliverEvents(revision: number, events: readonly WatchEvent[]): void {
    for (const event of events) this.#view?.apply(event);
    this.#deliver({ kind: "events", revision, events });
  }

  #onProgressStep(revision: number): void {
    if (this.#options.progress === true) this.#deliver({ kind: "progress", revision, events: [] });
    else if (this.#queue.length === 0) this.#cursor = revision;
  }

  #onCanceled({ reason, compactRevision }: { readonly reason: string; readonly compactRevision: number }): void {
    this.#subscription = undefined;
    const name = wireErrorName(reason);
    const kind = wireFailures[compactRevision > 0 ? "Compacted" : (name ?? "WatchCanceled")];
    const message = reason === "" ? "The member canceled the watch" : reason;
    if (kind.code === "COMPACTED") this.#onCompacted(compactRevision);
    else if (kind.transient) this.#subscribeLater();
    else this.#fail(new ConclaveError(kind.code, message, { details: { reason } }));
  }

  #onCompacted(compactRevision: number): void {
    if (this.#view !== undefined && this.#options.onCompaction !== "error") void this.#resync();
    else this.#fail(compactedError(compactRevision));
  }

  // What the consumer takes.

  #claim(consumer: "iterator" | "handlers"): void {
    if (this.#consumer !== "none")
      throw new ConclaveError(
        "INVALID_ARGUMENT",
        `Cannot consume a watch twice: it is consumed by its ${this.#consumer} already`,
      );
    this.#consumer = consumer;
  }

  #startHandlers(): void {
    if (this.#consumer === "handlers") return;
    this.#claim("handlers");
    void this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      for (let batch = await this.#take(); batch !== undefined; batch = await this.#take()) {
        this.#events.emit("batch", batch);
        for (const event of batch.events) this.#events.emit(event.type, event, batch);
      }
    } catch (error) {
      // The error the watch ended with, which "end" and `ended` tell.
      if (!isConclaveError(error)) throw error;
    }
  }

  async #take(): Promise<WatchBatch | undefined> {
    const batch = await this.#queue.next();
    if (batch === undefined) return undefined;
    this.#cursor = batch.revision;
    if (this.#full && this.#queue.size <= this.#bufferEvents / 2) {
      this.#full = false;
      this.#subscribe();
    }
    return batch;
  }

  get #bufferEvents(): number {
    return this.#options.bufferEvents ?? bufferEventsDefault;
  }

  #deliver(batch: WatchBatch): void {
    this.#queue.push(batch);
    if (this.#queue.size < this.#bufferEvents) return;
    if (this.#options.overflow === "fail")
      this.#fail(
        new ConclaveError("SLOW_CONSUMER", `The watch ended as ${this.bufferedEvents} events wait for its consumer`),
      );
    this.#full = true;
    this.#unsubscribe();
  }

  // How it goes on.

  #subscribe(): void {
    if (this.#end !== undefined || this.#full || this.#subscription !== undefined) return;
    this.#subscription = this.#made.mux.subscribe(this);
  }

  #unsubscribe(): void {
    this.#retry?.cancel();
    this.#subscription?.cancel();
    this.#subscription = undefined;
  }

  #subscribeLater(): void {
    const { scheduler, random } = this.#made.ports;
    this.#retry?.cancel();
    this.#retry = scheduler.after(fullJitterMs(random, retryBackoff, 3), () => this.#subscribe());
  }

  #becomeReady(revision: number): void {
    this.#readyRevision ??= revision;
    for (const resolve of this.#whenReady) resolve(this.#readyRevision);
    this.#whenReady.clear();
  }

  /** Learns which keys the consumer takes for granted, for the difference a later resync has to tell. */
  async #loadView(view: WatchView): Promise<void> {
    const cursor = this.#assembler.cursor;
    const listed =
      cursor === 0 ? { revision: 0, kvs: [] } : await this.#list({ keysOnly: true, revision: cursor ?? 0 });
    if (listed === undefined) return;
    if (listed === "compacted") return void this.#resync();
    for (const kv of listed.kvs) view.learn(kv);
    if (cursor === undefined) this.#assembler.restart(listed.revision);
    this.#subscribe();
  }

  /** Tells what is there in place of changes that are not to be had. */
  async #resync(): Promise<void> {
    const listed = await this.#list({ keysOnly: false, revision: 0 });
    if (listed === undefined || listed === "compacted" || this.#view === undefined) return;
    const { revision, kvs } = listed;
    const events = this.#view.replace(kvs, revision).filter(({ type }) => (this.#options.only ?? type) === type);
    this.#assembler.restart(revision);
    this.#becomeReady(revision);
    this.#deliver({ kind: "resync", revision, events, snapshot: kvs });
    this.#subscribe();
  }

  /** Lists the range, trying until it works or the watch ends (undefined). */
  async #list(options: {
    readonly keysOnly: boolean;
    readonly revision: number;
  }): Promise<Listing | "compacted" | undefined> {
    const { ports, kv } = this.#made;
    for (let failures = 1; this.#end === undefined; failures++) {
      try {
        return await collect(kv.pages(this.#input, { ...options, signal: this.#closing.signal }));
      } catch (error) {
        if (this.#end !== undefined) return undefined;
        if (!isConclaveError(error)) throw error;
        if (error.code === "COMPACTED") {
          if (options.revision > 0) return "compacted";
        } else if (!error.retryable) {
          this.#fail(error);
          return undefined;
        } else this.#events.emit("disconnected", error);
      }
      await sleep(ports.scheduler, fullJitterMs(ports.random, retryBackoff, failures), this.#closing.signal);
    }
    return undefined;
  }

  // How it ends.

  #endWith(signal: AbortSignal, error: () => ConclaveError): void {
    const end = () => this.#finish(error(), { drop: true });
    if (signal.aborted) end();
    else this.#unlisten.push(onAbort(signal, end));
  }

  #fail(error: ConclaveError): void {
    this.#finish(error, { drop: false });
  }

  #finish(error: ConclaveError | undefined, options: { readonly drop: boolean }): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    for (const unlisten of this.#unlisten) unlisten();
    this.#unsubscribe();
    this.#closing.abort();
    this.#queue.end(error, options);
    this.#resolveEnded(error);
    this.#events.emit("end", error);
  }
}

interface Listing {
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
}

async function collect(
  pages: AsyncIterable<{ readonly revision: number; readonly kvs: readonly KeyValue[] }>,
): Promise<Listing> {
  let revision = 0;
  const kvs: KeyValue[] = [];
  for await (const page of pages) {
    // Every page is read at the first one's revision; the header of a later one says only when it was read.
    if (revision === 0) revision = page.revision;
    for (const kv of page.kvs) kvs.push(kv);
  }
  return { revision, kvs };
}

function compactedError(compactRevision: number): ConclaveError {
  const message = "etcdserver: mvcc: required revision has been compacted";
  return new ConclaveError("COMPACTED", message, { details: { compactRevision } });
}

function filtersOf({ only }: WatchOptions): FilterType[] {
  if (only === undefined) return [];
  return [only === "put" ? FilterType.NODELETE : FilterType.NOPUT];
}
