/** @module The Watch service of the proxy. */
import {
  type ResponseHeader,
  type WatchCreateRequest,
  type WatchDefinition,
  type WatchRequest,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import type { RequestStream, ResponseStream, RpcError, ServerCall, ServiceHandlers } from "@conclave/rpc";
import { type Caller, callerOf } from "./caller.ts";
import { ClientWatcher, type WatcherHost } from "./client-watcher.ts";
import type { KeyNamespace } from "./key-namespace.ts";
import type { WatchHub } from "./watch-hub.ts";

/** Watchers that one stream may have; further ones are refused. */
const watchersMax = 10_000;

const noWatchId = -1n;
const duplicateId = "mvcc: duplicate watch ID provided on the WatchStream";
const tooManyWatchers = "etcdserver: too many requests";

/** The Watch service. */
export function watchHandlers(hub: WatchHub, namespace: KeyNamespace): ServiceHandlers<typeof WatchDefinition> {
  return {
    watch: (requests, responses, call) => new WatchStream({ hub, namespace, responses, call }).serve(requests),
  };
}

interface WatchStreamParts {
  readonly hub: WatchHub;
  readonly namespace: KeyNamespace;
  readonly responses: ResponseStream<WatchResponse>;
  readonly call: ServerCall;
}

/** A client's stream with its watchers. */
class WatchStream implements WatcherHost {
  readonly hub: WatchHub;
  readonly responses: ResponseStream<WatchResponse>;
  readonly signal: AbortSignal;
  readonly #caller: Caller;
  readonly #namespace: KeyNamespace;
  readonly #watchers = new Map<bigint, ClientWatcher>();
  readonly #lost: Promise<never>;
  #lose: (error: RpcError) => void = ignore;
  #nextId = 0n;
  #isAskingProgress = false;

  constructor({ hub, namespace, responses, call }: WatchStreamParts) {
    this.hub = hub;
    this.responses = responses;
    this.signal = call.signal;
    this.#caller = callerOf(call);
    this.#namespace = namespace;
    this.#lost = new Promise((_, reject) => {
      this.#lose = reject;
    });
    this.#lost.catch(ignore);
  }

  async serve(requests: RequestStream<WatchRequest>): Promise<void> {
    try {
      const reading = requests.forEach(async (request) => {
        await this.#take(request);
      });
      await Promise.race([reading, this.#lost]);
      // A client that has nothing more to ask goes on watching until it leaves.
      await Promise.race([aborted(this.signal), this.#lost]);
    } finally {
      for (const watcher of this.#watchers.values()) watcher.stop();
      this.#watchers.clear();
    }
  }

  lost(error: RpcError): void {
    this.#lose(error);
  }

  ended(watcher: ClientWatcher): void {
    this.#watchers.delete(watcher.id);
  }

  async #take({ requestUnion: request }: WatchRequest): Promise<void> {
    if (request?.$case === "createRequest") await this.#create(request.value);
    else if (request?.$case === "cancelRequest") this.#cancel(request.value.watchId);
    else if (request?.$case === "progressRequest") this.#askProgress();
    // A client that reads no answers must not make more of them.
    await this.responses.drained();
  }

  /** Clients match answers to creations by their order, so each is waited for. */
  async #create(request: WatchCreateRequest): Promise<void> {
    const isTaken = request.watchId !== 0n && this.#watchers.has(request.watchId);
    if (isTaken) this.#refuse(duplicateId);
    else if (this.#watchers.size >= watchersMax) this.#refuse(tooManyWatchers);
    else {
      const interest = { caller: this.#caller, request: this.#namespace.watch(request) };
      const watcher = new ClientWatcher(this, { id: this.#idFor(request), interest });
      this.#watchers.set(watcher.id, watcher);
      await Promise.race([watcher.start(), this.#lost]);
    }
  }

  #idFor({ watchId }: WatchCreateRequest): bigint {
    if (watchId !== 0n) return watchId;
    while (this.#watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #refuse(cancelReason: string): void {
    const header = [...this.#watchers.values()].at(-1)?.header;
    this.#answer({ header, watchId: noWatchId, created: true, canceled: true, cancelReason });
  }

  #cancel(id: bigint): void {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return;
    const { header } = watcher;
    watcher.stop();
    this.#watchers.delete(id);
    this.#answer({ header, watchId: id, canceled: true });
  }

  /** Answers when every watcher has been told of everything up to a revision, with the lowest of these. */
  #askProgress(): void {
    const watchers = [...this.#watchers.values()];
    if (watchers.length === 0) return;
    const answered = new Map<ClientWatcher, number>();
    const onAnswer = (watcher: ClientWatcher, revision: number): void => {
      answered.set(watcher, revision);
      if (!this.#isAskingProgress || answered.size < watchers.length) return;
      this.#isAskingProgress = false;
      this.#progressed(watchers, Math.min(...answered.values()));
    };
    this.#isAskingProgress = true;
    for (const watcher of watchers) watcher.requestProgress((revision) => onAnswer(watcher, revision));
  }

  #progressed(watchers: readonly ClientWatcher[], revision: number): void {
    const header = watchers[0]?.header;
    if (header !== undefined) this.#answer({ header: { ...header, revision }, watchId: noWatchId });
  }

  #answer(response: { readonly header: ResponseHeader | undefined } & Partial<WatchResponse>): void {
    this.responses.write({ ...WatchResponse.create({}), ...response });
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** The call is over; whoever serves it hears of that. */
function ignore(): void {}
