/** @module One watcher of a client. */
import { type ResponseHeader, WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { ResponseStream, RpcError } from "@conclave/rpc";
import type { SharedResponse, SharedWatch, WatchSubscriber } from "./shared-watch.ts";
import type { Interest, WatchHub } from "./watch-hub.ts";

/** The stream that a watcher belongs to. */
export interface WatcherHost {
  /** The watchers at the members. */
  readonly hub: WatchHub;
  /** What the client hears. */
  readonly responses: ResponseStream<WatchResponse>;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
  /** The way to the member is lost. */
  lost(error: RpcError): void;
  /** The member has ended the watcher. */
  ended(watcher: ClientWatcher): void;
}

/** Bytes that may wait for a client that shares a watcher; one that takes less is given one of its own, which waits. */
const sharedBytesMax = 1024 * 1024;

/** One watcher of a client: what it has heard of, and where it hears more. */
export class ClientWatcher implements WatchSubscriber {
  /** Its id on its stream. */
  readonly id: bigint;
  readonly #host: WatcherHost;
  readonly #interest: Interest;
  readonly #idBytes: Uint8Array;
  #watch: SharedWatch | undefined;
  #header: ResponseHeader | undefined;
  /** It has been told of everything up to here, and of nothing beyond. */
  #heardRevision = 0;
  #isCreated = false;
  #isStopped = false;
  #onCreated: () => void = ignore;

  constructor(host: WatcherHost, { id, interest }: { readonly id: bigint; readonly interest: Interest }) {
    this.id = id;
    this.#host = host;
    this.#interest = interest;
    this.#idBytes = WatchResponse.encode({ ...WatchResponse.create({}), watchId: BigInt.asIntN(64, id) }).finish();
  }

  /** The newest header it knows. */
  get header(): ResponseHeader | undefined {
    return this.#header;
  }

  /** Starts it; resolves when the client has been told that it is made, or that it is not. */
  async start(): Promise<void> {
    const created = new Promise<void>((resolve) => {
      this.#onCreated = resolve;
    });
    const { hub, signal } = this.#host;
    const { watch, header } = await hub.subscribe(this.#interest, this, signal);
    this.#follow(watch);
    if (header !== undefined) this.onCreated(header);
    await created;
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    this.#watch?.unsubscribe(this);
    this.#watch = undefined;
    this.#onCreated();
  }

  /** Asks how far it has been told; see {@link SharedWatch.requestProgress}. */
  requestProgress(onProgress: (revision: number) => void): void {
    this.#watch?.requestProgress((revision) => {
      if (!this.#isStopped) onProgress(Math.max(revision, this.#heardRevision));
    });
  }

  onCreated(header: ResponseHeader | undefined): void {
    this.#header = header;
    if (this.#isCreated) return;
    this.#isCreated = true;
    const { startRevision } = this.#interest.request;
    this.#heardRevision = startRevision > 0n ? Number(startRevision) - 1 : (header?.revision ?? 0);
    this.#host.responses.write({ ...WatchResponse.create({}), header, watchId: this.id, created: true });
    this.#onCreated();
  }

  onResponse({ message, bytes }: SharedResponse): void {
    this.#header = message.header;
    const { responses } = this.#host;
    const first = message.events[0]?.kv?.modRevision ?? (message.header?.revision ?? 0) + 1;
    if (first > this.#heardRevision) responses.writeEncoded(this.#idBytes, bytes);
    else this.#tellWhatIsNew(message);
    const last = message.events.at(-1)?.kv?.modRevision;
    if (message.fragment) return;
    if (last !== undefined) this.#heardRevision = Math.max(this.#heardRevision, last);
    this.#holdBack();
  }

  onCanceled(response: WatchResponse): void {
    if (this.#isOnlyTheOtherTooOld(response)) {
      this.#catchUp();
      return;
    }
    const created = response.created && !this.#isCreated;
    const watchId = created && response.watchId < 0n ? response.watchId : this.id;
    this.#watch = undefined;
    this.#isStopped = true;
    this.#host.responses.write({ ...response, watchId, created });
    this.#host.ended(this);
    this.#onCreated();
  }

  onLost(error: RpcError): void {
    this.#host.lost(error);
  }

  onMoved(watch: SharedWatch): void {
    this.#follow(watch);
  }

  #follow(watch: SharedWatch): void {
    if (this.#isStopped) watch.unsubscribe(this);
    else this.#watch = watch;
  }

  /** One that was shared began before what is compacted now; this one does not need that. */
  #isOnlyTheOtherTooOld({ compactRevision }: WatchResponse): boolean {
    const next = this.#heardRevision + 1;
    const isOlder = this.#watch !== undefined && this.#watch.startRevision < BigInt(next);
    return this.#isCreated && compactRevision > 0 && next >= compactRevision && isOlder;
  }

  /** What the shared watcher tells again to one that was ahead of it is left out. */
  #tellWhatIsNew(message: WatchResponse): void {
    const events = message.events.filter(({ kv }) => (kv?.modRevision ?? 0) > this.#heardRevision);
    if (events.length > 0) this.#host.responses.write({ ...message, watchId: this.id, events });
  }

  /** Holds back for a client that does not take what it is sent, without holding others back. */
  #holdBack(): void {
    const watch = this.#watch;
    const { bufferedBytes } = this.#host.responses;
    if (watch === undefined || bufferedBytes <= sharedBytesMax) return;
    if (watch.subscribers.size === 1 && !this.#host.hub.isCurrent(watch)) {
      watch.pause();
      this.#whenDrained(() => watch.resume());
      return;
    }
    watch.unsubscribe(this);
    this.#watch = undefined;
    this.#whenDrained(() => this.#catchUp());
  }

  #catchUp(): void {
    if (this.#isStopped) return;
    const request = { ...this.#interest.request, startRevision: BigInt(this.#heardRevision) + 1n };
    this.#watch = this.#host.hub.subscribeAlone({ ...this.#interest, request }, this);
  }

  #whenDrained(goOn: () => void): void {
    this.#host.responses.drained().then(goOn, ignore);
  }
}

/** The call is over; whoever serves it hears of that. */
function ignore(): void {}
