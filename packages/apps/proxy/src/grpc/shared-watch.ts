/** @module One watcher at a member for many watchers of clients. */

import { type ResponseHeader, type WatchCreateRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { Event } from "@conclave/protocol/mvccpb";
import type { RpcError } from "@conclave/rpc";
import type { Caller } from "./caller.ts";
import type { KeyNamespace } from "./key-namespace.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamWatch } from "./upstream-watch.ts";

/** Questions for progress that may wait for a watcher that is behind; further ones take the place of the oldest. */
const progressWaitersMax = 1024;

/** Who is told what a shared watcher hears. */
export interface WatchSubscriber {
  /** The member has made the watcher. */
  onCreated(header: ResponseHeader | undefined): void;
  /** Events, or how far the watcher has been served. */
  onResponse(response: SharedResponse): void;
  /** The member has ended the watcher, or refused to make it. */
  onCanceled(response: WatchResponse): void;
  /** The way to the members is lost. */
  onLost(error: RpcError): void;
  /** It has been subscribed to another watcher, which tells what comes after what it has heard. */
  onMoved(watch: SharedWatch): void;
}

/** A response that goes to many watchers: encoded once, without the id, which differs. */
export interface SharedResponse {
  /** The response, with its keys as the proxy's users know them and no id. */
  readonly message: WatchResponse;
  /** The same, encoded. */
  readonly bytes: Uint8Array;
}

/** What a shared watcher needs. */
export interface SharedWatchOptions {
  /** The members. */
  readonly upstream: Upstream;
  /** The keys that the proxy's users see. */
  readonly namespace: KeyNamespace;
  /** Who watches. */
  readonly caller: Caller;
  /** What to watch, as the member is to be asked. */
  readonly request: WatchCreateRequest;
  /** Called with events, their keys as the member knows them, before its subscribers are told of them. */
  readonly onEvents: (events: readonly Event[]) => void;
  /** Called when its subscribers have heard of a whole revision, or it was made. */
  readonly onRevision: (watch: SharedWatch, isCurrent: boolean) => void;
  /** Called when it is over. */
  readonly onOver: (watch: SharedWatch) => void;
}

/** One watcher at a member, on a stream of its own, for any number of subscribers. */
export class SharedWatch {
  readonly #options: SharedWatchOptions;
  readonly #upstreamWatch: UpstreamWatch;
  readonly #subscribers = new Set<WatchSubscriber>();
  #progressWaiters: ((revision: number) => void)[] = [];
  #isCreated = false;
  #isOver = false;
  #isWithinRevision = false;
  #seenRevision = 0;

  constructor(options: SharedWatchOptions) {
    this.#options = options;
    this.#upstreamWatch = new UpstreamWatch(
      { ...options, nextRevision: () => this.#nextRevision() },
      { onResponse: (response) => this.#onResponse(response), onLost: (error) => this.#onLost(error) },
    );
  }

  /** Asks the member to make it. */
  start(): void {
    this.#upstreamWatch.start();
  }

  /** Who listens. */
  get subscribers(): ReadonlySet<WatchSubscriber> {
    return this.#subscribers;
  }

  /** Whether the member has made it. */
  get isCreated(): boolean {
    return this.#isCreated;
  }

  /** All its subscribers that are no younger have been told of every event up to here, and of none beyond. */
  get seenRevision(): number {
    return this.#seenRevision;
  }

  /** The revision that the member was asked to begin with; 0 for those to come. */
  get startRevision(): bigint {
    return this.#options.request.startRevision;
  }

  /** Whether whoever wants to hear from a revision on hears it all here: nothing of it has been told yet. */
  servesFrom(startRevision: bigint): boolean {
    if (this.#upstreamWatch.isPaused) return false;
    return this.#isCreated ? BigInt(this.#seenRevision) < startRevision : this.startRevision === startRevision;
  }

  /** Adds a subscriber, which hears what comes from now on. */
  subscribe(subscriber: WatchSubscriber): void {
    this.#subscribers.add(subscriber);
  }

  /** Takes a subscriber away; without any the watcher is canceled. */
  unsubscribe(subscriber: WatchSubscriber): void {
    if (this.#subscribers.delete(subscriber) && this.#subscribers.size === 0) this.#end();
  }

  /** Takes nothing more off the network until `resume`: only for a watcher with one subscriber. */
  pause(): void {
    this.#upstreamWatch.pause();
  }

  /** Goes on. */
  resume(): void {
    this.#upstreamWatch.resume();
  }

  /**
   * Asks the member how far the watcher has been served.
   *
   * @param onProgress - told of the revision, once; never if the member does not answer as the watcher is behind
   */
  requestProgress(onProgress: (revision: number) => void): void {
    if (this.#progressWaiters.length >= progressWaitersMax) this.#progressWaiters.shift();
    this.#progressWaiters.push(onProgress);
    this.#upstreamWatch.requestProgress();
  }

  #nextRevision(): bigint | undefined {
    if (!this.#isCreated) return this.startRevision;
    return this.#isWithinRevision ? undefined : BigInt(this.#seenRevision) + 1n;
  }

  #onResponse(response: WatchResponse): void {
    if (response.canceled) this.#cancel(response);
    else if (response.created) this.#created(response);
    else if (response.events.length > 0) this.#tell(response);
    else if (response.watchId < 0n) this.#progressed(response.header?.revision ?? 0);
    else this.#served(response);
  }

  #created({ header }: WatchResponse): void {
    const current = header?.revision ?? 0;
    this.#isCreated = true;
    this.#seenRevision = this.startRevision > 0n ? Number(this.startRevision) - 1 : current;
    for (const subscriber of [...this.#subscribers]) subscriber.onCreated(header);
    if (!this.#isOver) this.#options.onRevision(this, this.#seenRevision === current);
  }

  #tell(response: WatchResponse): void {
    const last = response.events.at(-1)?.kv?.modRevision ?? this.#seenRevision;
    this.#seenRevision = last;
    this.#isWithinRevision = response.fragment;
    this.#options.onEvents(response.events);
    this.#publish(response);
    if (!response.fragment && !this.#isOver) this.#options.onRevision(this, last === response.header?.revision);
  }

  #publish(response: WatchResponse): void {
    const message = this.#options.namespace.watchResponse({ ...response, watchId: 0n });
    const bytes = WatchResponse.encode(message).finish();
    for (const subscriber of [...this.#subscribers]) subscriber.onResponse({ message, bytes });
  }

  /** The member says by itself that the watcher has been served up to a revision. */
  #served(response: WatchResponse): void {
    this.#seenRevision = Math.max(this.#seenRevision, response.header?.revision ?? 0);
    this.#publish(response);
  }

  #progressed(revision: number): void {
    const waiters = this.#progressWaiters;
    this.#progressWaiters = [];
    for (const onProgress of waiters) onProgress(revision);
  }

  #cancel(response: WatchResponse): void {
    const subscribers = [...this.#subscribers];
    this.#end();
    for (const subscriber of subscribers) subscriber.onCanceled(response);
  }

  #onLost(error: RpcError): void {
    const subscribers = [...this.#subscribers];
    this.#end();
    for (const subscriber of subscribers) subscriber.onLost(error);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#subscribers.clear();
    this.#upstreamWatch.cancel();
    this.#options.onOver(this);
  }
}
