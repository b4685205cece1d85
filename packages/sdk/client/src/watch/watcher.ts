/** @module One watch of a user: how it survives what happens to the stream and to the history. */
import type { Timer } from "@conclave/base";
import { wireErrorName } from "@conclave/protocol";
import {
  WatchCreateRequest_FilterType as FilterType,
  type WatchCreateRequest,
  type WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import { fullJitterMs } from "../calls/backoff.ts";
import { abortedError, type CallOptions, CallScope } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { ConclaveError } from "../conclave-error.ts";
import { wireFailures } from "../error-codes.ts";
import type { EventSource, HandlerErrorSink } from "../isolated-emitter.ts";
import type { KeyRange, RangeInput } from "../kv/key-range.ts";
import { headerOf } from "../kv/key-value.ts";
import type { Keyspace } from "../kv/keyspace.ts";
import type { Kv } from "../kv/kv.ts";
import type { RevisionFloor } from "../kv/revision-floor.ts";
import { onAbort } from "../on-abort.ts";
import { rangeInput, validate, validateOptions } from "../validate.ts";
import { WatchAssembler, type WatchStep } from "./watch-assembler.ts";
import { toWatchEvent, type WatchBatch } from "./watch-batch.ts";
import { foreignCluster, formatCursor, parseCursorOf, type WatchCursor } from "./watch-cursor.ts";
import { type Listing, listForWatch, watchRetryBackoff } from "./watch-listing.ts";
import type { WatchMux, WatchSubscriber, WatchSubscription } from "./watch-mux.ts";
import {
  bufferEventsDefault,
  type WatchEvents,
  type Watcher,
  type WatchOptions,
  watchSchema,
} from "./watch-options.ts";
import { type OutletOwner, WatchOutlet } from "./watch-outlet.ts";
import { WatchView } from "./watch-view.ts";

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

/** Starts a watch. */
export function createWatcher(made: WatcherPorts, range: RangeInput, options: WatchOptions = {}): Watcher {
  validate(rangeInput, range, "range");
  validateOptions(watchSchema, options, "options of a watch");
  const watcher = new StreamWatcher(made, range, options);
  watcher.start();
  return watcher;
}

class StreamWatcher implements Watcher, WatchSubscriber, OutletOwner {
  readonly ended: Promise<ConclaveError | undefined>;
  readonly #made: WatcherPorts;
  readonly #input: RangeInput;
  readonly #range: KeyRange;
  readonly #options: WatchOptions;
  readonly #outlet: WatchOutlet;
  readonly #assembler: WatchAssembler;
  /** What the consumer has been told, where a resync may have to tell the difference. */
  readonly #view: WatchView | undefined;
  /** The cluster that the cursor to begin with is of; undefined: whichever answers. */
  readonly #boundTo: bigint | undefined;
  /** The cluster that has answered last; 0n before, and where members do not say. */
  #clusterId = 0n;
  readonly #closing = new AbortController();
  readonly #unlisten: (() => void)[] = [];
  readonly #whenReady = new Set<(revision: number) => void>();
  #resolveEnded: (error: ConclaveError | undefined) => void = () => {};
  #subscription: WatchSubscription | undefined;
  #retry: Timer | undefined;
  #readyRevision: number | undefined;
  /** Whether the watch is stopped until the consumer has taken enough. */
  #full = false;
  #hasEnded = false;

  constructor(made: WatcherPorts, range: RangeInput, options: WatchOptions) {
    this.#made = made;
    this.#input = range;
    this.#range = made.space.range(range);
    const { from, boundTo } = beginning(this.#range, options.from);
    const { onCompaction = from === "snapshot" ? "resync" : "error" } = options;
    this.#boundTo = boundTo;
    this.#options = { ...options, from, onCompaction };
    this.#outlet = new WatchOutlet(this, made.onHandlerError);
    this.#assembler = new WatchAssembler(typeof from === "number" && from > 0 ? from - 1 : undefined);
    this.#view = onCompaction === "resync" || from === "snapshot" ? new WatchView() : undefined;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  start(): void {
    const { signal, from } = this.#options;
    if (signal !== undefined) this.#endWith(signal, () => abortedError("The watch", signal));
    this.#endWith(this.#made.ports.closed, () => new ConclaveError("CLOSED", "The client was closed"));
    if (this.#hasEnded) return;
    if (this.#view === undefined) this.#subscribe();
    else if (from === "snapshot") void this.#resync(this.#view);
    else void this.#loadView(this.#view);
  }

  // What the user sees.

  get cursor(): number | undefined {
    return this.#outlet.cursor;
  }

  get position(): WatchCursor | undefined {
    const { cursor: revision } = this;
    if (revision === undefined || this.#clusterId === 0n) return undefined;
    return formatCursor({ clusterId: this.#clusterId, range: this.#range, revision });
  }

  get bufferedEvents(): number {
    return this.#outlet.bufferedEvents;
  }

  on: EventSource<WatchEvents>["on"] = (name, handler) => this.#outlet.on(name, handler);
  once: EventSource<WatchEvents>["once"] = (name, handler) => this.#outlet.once(name, handler);

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

  close(): void {
    this.#finish(undefined, { drop: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch, undefined> {
    return this.#outlet.iterate();
  }

  // What the consumer does.

  onTaken(): void {
    if (!this.#full || this.#outlet.size > this.#bufferEvents / 2) return;
    this.#full = false;
    this.#subscribe();
  }

  onLeft(): void {
    this.close();
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
    if (!this.#isBoundTo(headerOf(response).clusterId)) return;
    for (const step of this.#assembler.accept(response)) {
      this.#onStep(step, response);
      // Steps not drawn leave the cursor where it is: their events come again.
      if (this.#full || this.#hasEnded) break;
    }
  }

  onProgress(revision: number): void {
    for (const _step of this.#assembler.acceptProgress(revision)) this.#onProgressStep(revision);
  }

  onDisconnected(error: ConclaveError): void {
    this.#assembler.interrupt();
    this.#outlet.emit("disconnected", error);
  }

  onRefused(error: ConclaveError): void {
    this.#subscription = undefined;
    this.#fail(error);
  }

  #onStep(step: WatchStep, response: WatchResponse): void {
    switch (step.kind) {
      case "created":
        this.#becomeReady(step.revision);
        this.#outlet.emit("connected");
        return;
      case "batch":
        this.#made.floor.observe({ ...headerOf(response), revision: step.revision });
        this.#onBatch(step);
        return;
      case "progress":
        this.#onProgressStep(step.revision);
        return;
      case "canceled":
        this.#onCanceled(step);
    }
  }

  #onBatch({ revision, events }: Extract<WatchStep, { kind: "batch" }>): void {
    const seen = events.map((event) => toWatchEvent(event, this.#made.space));
    for (const event of seen) this.#view?.apply(event);
    this.#deliver({ kind: "events", revision, events: seen });
  }

  #onProgressStep(revision: number): void {
    if (this.#options.progress === true) this.#deliver({ kind: "progress", revision, events: [] });
    else this.#outlet.skipTo(revision);
  }

  #onCanceled({ reason, compactRevision }: Extract<WatchStep, { kind: "canceled" }>): void {
    this.#subscription = undefined;
    const kind = wireFailures[compactRevision > 0 ? "Compacted" : (wireErrorName(reason) ?? "WatchCanceled")];
    const message = reason === "" ? "The member canceled the watch" : reason;
    if (kind.code === "COMPACTED") this.#onCompacted(compactRevision);
    else if (kind.transient) this.#subscribeLater();
    else this.#fail(new ConclaveError(kind.code, message, { details: { reason } }));
  }

  #onCompacted(compactRevision: number): void {
    if (this.#view !== undefined && this.#options.onCompaction === "resync") {
      void this.#resync(this.#view);
      return;
    }
    const message = "etcdserver: mvcc: required revision has been compacted";
    this.#fail(new ConclaveError("COMPACTED", message, { details: { compactRevision } }));
  }

  // How it goes on.

  get #bufferEvents(): number {
    return this.#options.bufferEvents ?? bufferEventsDefault;
  }

  #deliver(batch: WatchBatch): void {
    this.#outlet.deliver(batch);
    if (this.#outlet.size < this.#bufferEvents) return;
    const { overflow } = this.#options;
    if (overflow === "coalesce") this.#outlet.coalesce();
    // Coalescing what has just been coalesced would cost more and more for less and less.
    if (overflow === "coalesce" && this.#outlet.size <= this.#bufferEvents / 2) return;
    this.#full = true;
    this.#unsubscribe();
    if (overflow !== "fail") return;
    const message = `The watch ended as ${this.bufferedEvents} events wait for its consumer`;
    this.#fail(new ConclaveError("SLOW_CONSUMER", message));
  }

  #subscribe(): void {
    if (this.#hasEnded || this.#full || this.#subscription !== undefined) return;
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
    this.#retry = scheduler.after(fullJitterMs(random, watchRetryBackoff, 3), () => this.#subscribe());
  }

  #becomeReady(revision: number): void {
    this.#readyRevision ??= revision;
    for (const resolve of this.#whenReady) resolve(this.#readyRevision);
    this.#whenReady.clear();
  }

  /** Learns which keys the consumer takes for granted, for the difference a later resync has to tell. */
  async #loadView(view: WatchView): Promise<void> {
    const { cursor } = this.#assembler;
    const listed =
      cursor === 0
        ? { revision: 0, clusterId: 0n, kvs: [] }
        : await this.#list({ keysOnly: true, revision: cursor ?? 0 });
    if (listed === "compacted") return await this.#resync(view);
    if (listed === undefined) return;
    for (const kv of listed.kvs) view.learn(kv);
    if (cursor === undefined) this.#assembler.restart(listed.revision);
    this.#subscribe();
  }

  /** Tells what is there in place of changes that are not to be had. */
  async #resync(view: WatchView): Promise<void> {
    const listed = await this.#list({ keysOnly: false, revision: 0 });
    if (listed === undefined || listed === "compacted") return;
    const { revision, kvs } = listed;
    const { only } = this.#options;
    const events = view.replace(kvs, revision).filter(({ type }) => only === undefined || type === only);
    this.#assembler.restart(revision);
    this.#becomeReady(revision);
    this.#deliver({ kind: "resync", revision, events, snapshot: kvs });
    this.#subscribe();
  }

  /** Lists the range; undefined if the watch has ended meanwhile or by it. */
  async #list(what: {
    readonly keysOnly: boolean;
    readonly revision: number;
  }): Promise<Listing | "compacted" | undefined> {
    const { ports, kv } = this.#made;
    const onRetry = (error: ConclaveError) => this.#outlet.emit("disconnected", error);
    const listed = await listForWatch(ports, kv, {
      ...what,
      range: this.#input,
      signal: this.#closing.signal,
      onRetry,
    });
    if (this.#hasEnded) return undefined;
    if (!(listed instanceof ConclaveError)) return this.#isBoundTo(listed.clusterId) ? listed : undefined;
    if (listed.code === "COMPACTED") return "compacted";
    // A watch may begin at a revision to come: then what is there now is what will be taken for granted.
    if (listed.code === "FUTURE_REVISION") return await this.#list({ ...what, revision: 0 });
    this.#fail(listed);
    return undefined;
  }

  /** Takes note of the cluster that has answered; if it is not the one whose history this is, the watch ends. */
  #isBoundTo(clusterId: bigint): boolean {
    if (clusterId === 0n) return true;
    this.#clusterId = clusterId;
    if (this.#boundTo === undefined || clusterId === this.#boundTo) return true;
    this.#fail(foreignCluster(this.#boundTo, clusterId));
    return false;
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
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const unlisten of this.#unlisten) unlisten();
    this.#unsubscribe();
    this.#closing.abort();
    this.#resolveEnded(error);
    this.#outlet.end(error, options);
  }
}

/** Where to begin, and in which cluster only. */
function beginning(
  range: KeyRange,
  from: WatchOptions["from"] = "now",
): { readonly from: "now" | "snapshot" | number; readonly boundTo: bigint | undefined } {
  if (from === "now" || from === "snapshot" || typeof from === "number") return { from, boundTo: undefined };
  const { clusterId, revision } = parseCursorOf(range, from);
  return { from: revision + 1, boundTo: clusterId };
}

function filtersOf({ only }: WatchOptions): FilterType[] {
  if (only === undefined) return [];
  return [only === "put" ? FilterType.NODELETE : FilterType.NOPUT];
}
