/**
 * @module The one stream on which all watches of a client run.
 *
 * When the stream fails, goes silent, or its member has no leader, it is opened again on another member, and
 * every watch is asked for again from its cursor. A member answers requests to create in their order, so an
 * answer without a usable id belongs to the oldest request that has none.
 */
import type { Timer } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import type { WatchCreateRequest, WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { answersProgressInOrder } from "../admin/server-version.ts";
import { type Backoff, fullJitterMs } from "../calls/backoff.ts";
import { statusMethod, watchMethod } from "../calls/methods.ts";
import { openRpcStream, type RpcStream, streamError } from "../calls/rpc-stream.ts";
import { type CallPorts, runUnary } from "../calls/unary-run.ts";
import { ConclaveError } from "../conclave-error.ts";
import { requireLeader } from "../transport/transport.ts";
import { isProgress } from "./watch-assembler.ts";

/** One watch, as the stream sees it. */
export interface WatchSubscriber {
  /** What to ask a member for, from the present cursor. */
  createRequest(): WatchCreateRequest;
  /** Takes a response meant for this watch. */
  onResponse(response: WatchResponse): void;
  /** Takes the news that nothing is untold up to a revision. */
  onProgress(revision: number): void;
  /** The stream is gone; it will be opened again. */
  onDisconnected(error: ConclaveError): void;
  /** No member will ever serve this watch; called last. */
  onRefused(error: ConclaveError): void;
}

/** A watch's place on the stream. */
export interface WatchSubscription {
  /** Ends the watch on the member; nothing more comes. */
  cancel(): void;
}

interface Registration {
  readonly subscriber: WatchSubscriber;
  /** Its id on the present stream. */
  watchId: bigint;
  /** Whether the member has confirmed it on the present stream. */
  created: boolean;
  /** Whether it stood before the oldest progress request without an answer was sent. */
  coveredByRequest: boolean;
}

const reconnectBackoff: Backoff = { firstMs: 100, maxMs: 5_000 };
const stallMsMax = 300_000;
/** Timers may fire this much early, and times are rounded: without it a timer could be set for now for ever. */
const timerStepMs = 1;
const noWatchId = -1n;

/** Statuses after which another try, on any member, ends the same way. */
const hopeless: ReadonlySet<GrpcStatus> = new Set<GrpcStatus>([
  GrpcStatus.Unimplemented,
  GrpcStatus.PermissionDenied,
  GrpcStatus.Unauthenticated,
  GrpcStatus.InvalidArgument,
]);

/** The stream of a client's watches; open while there are any. */
export class WatchMux {
  readonly #ports: CallPorts;
  readonly #stallMs: number;
  readonly #registrations = new Set<Registration>();
  /** Whether progress answers of a member are in order, once that is known. */
  readonly #ordered = new Map<string, boolean>();
  #byId = new Map<bigint, Registration>();
  #unconfirmed: Registration[] = [];
  #stream: RpcStream<WatchRequest> | undefined;
  #endpoint = "";
  #nextWatchId = 1n;
  #failures = 0;
  #stalls = 0;
  #requestsWithoutAnswer = 0;
  #quietSinceMs = 0;
  #probing = false;
  /** Whether the present stream has brought anything. */
  #answered = false;
  #reconnect: Timer | undefined;
  #stallTimer: Timer | undefined;

  /**
   * @param ports - what the client is made of
   * @param options - `stallMs`: after this long without a frame a member is asked for its progress, and after as
   * long again without an answer it is given up
   */
  constructor(ports: CallPorts, options: { readonly stallMs: number }) {
    this.#ports = ports;
    this.#stallMs = options.stallMs;
  }

  /** How many watches there are. */
  get size(): number {
    return this.#registrations.size;
  }

  /** Whether the member of the present stream reports progress in the order of events; false until it is known. */
  get progressIsTrusted(): boolean {
    return this.#ordered.get(this.#endpoint) === true;
  }

  /** Adds a watch. */
  subscribe(subscriber: WatchSubscriber): WatchSubscription {
    const registration = { subscriber, watchId: 0n, created: false, coveredByRequest: false };
    this.#registrations.add(registration);
    if (this.#stream !== undefined) this.#create(registration);
    else this.#ensureStream();
    return { cancel: () => this.#unsubscribe(registration) };
  }

  /** Asks the member for its progress now. */
  requestProgress(): void {
    if (this.#stream === undefined || this.#registrations.size === 0) return;
    // The answer speaks only of watches that stood when it was asked for; with several requests under way it may
    // be the answer to the oldest.
    if (this.#requestsWithoutAnswer === 0)
      for (const registration of this.#registrations) registration.coveredByRequest = registration.created;
    this.#requestsWithoutAnswer++;
    this.#stream.send({ requestUnion: { $case: "progressRequest", value: {} } });
  }

  #unsubscribe(registration: Registration): void {
    if (!this.#registrations.delete(registration)) return;
    this.#byId.delete(registration.watchId);
    if (this.#registrations.size === 0) this.#dropStream();
    else this.#stream?.send({ requestUnion: { $case: "cancelRequest", value: { watchId: registration.watchId } } });
  }

  #create(registration: Registration): void {
    registration.watchId = this.#nextWatchId++;
    registration.created = false;
    registration.coveredByRequest = false;
    this.#byId.set(registration.watchId, registration);
    this.#unconfirmed.push(registration);
    const value = { ...registration.subscriber.createRequest(), watchId: registration.watchId };
    this.#stream?.send({ requestUnion: { $case: "createRequest", value } });
  }

  #ensureStream(): void {
    if (this.#stream !== undefined || this.#reconnect !== undefined || this.#registrations.size === 0) return;
    const { transport, pool } = this.#ports;
    this.#endpoint = pool.pick();
    const stream: RpcStream<WatchRequest> = openRpcStream(
      watchMethod,
      { transport, endpoint: this.#endpoint, metadata: requireLeader },
      {
        onMessage: (response) => {
          if (this.#stream === stream) this.#onResponse(response);
        },
        onEnd: (error) => {
          if (this.#stream === stream) this.#onStreamEnd(streamError(error));
        },
      },
    );
    this.#stream = stream;
    this.#onLife();
    for (const registration of [...this.#registrations]) this.#create(registration);
    this.#watchForStall();
  }

  #onFirstLife(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#ports.onStatus({ type: "watchConnected", endpoint: this.#endpoint });
  }

  #onLife(): void {
    this.#quietSinceMs = this.#ports.clock.monotonicMs();
    this.#probing = false;
  }

  #onResponse(response: WatchResponse): void {
    this.#onLife();
    this.#onFirstLife();
    this.#failures = 0;
    this.#stalls = 0;
    this.#ports.pool.succeeded(this.#endpoint);
    if (response.watchId === noWatchId && isProgress(response)) {
      this.#onProgressAnswer(response.header?.revision ?? 0);
      return;
    }
    const registration = response.created ? this.#confirm(response) : this.#byId.get(response.watchId);
    if (registration === undefined || !this.#registrations.has(registration)) return;
    if (response.canceled) this.#forget(registration);
    registration.subscriber.onResponse(response);
  }

  /** Finds the request that an answer belongs to. */
  #confirm({ watchId }: WatchResponse): Registration | undefined {
    const named = this.#unconfirmed.findIndex((registration) => registration.watchId === watchId);
    const [registration] = this.#unconfirmed.splice(Math.max(0, named), 1);
    if (registration === undefined) return undefined;
    registration.created = true;
    if (named < 0 && watchId !== noWatchId) this.#rename(registration, watchId);
    return registration;
  }

  /** Something between us and the member (etcd's proxy does) chose an id of its own. */
  #rename(registration: Registration, watchId: bigint): void {
    this.#byId.delete(registration.watchId);
    registration.watchId = watchId;
    if (this.#registrations.has(registration)) this.#byId.set(watchId, registration);
    else this.#stream?.send({ requestUnion: { $case: "cancelRequest", value: { watchId } } });
  }

  #forget(registration: Registration): void {
    this.#registrations.delete(registration);
    this.#byId.delete(registration.watchId);
    if (this.#registrations.size === 0) this.#dropStream();
  }

  #onProgressAnswer(revision: number): void {
    this.#requestsWithoutAnswer = Math.max(0, this.#requestsWithoutAnswer - 1);
    const ordered = this.#ordered.get(this.#endpoint);
    if (ordered === undefined) void this.#learnVersion(this.#endpoint);
    if (ordered !== true) return;
    for (const { coveredByRequest, subscriber } of [...this.#registrations])
      if (coveredByRequest) subscriber.onProgress(revision);
  }

  /** Asks which version a member speaks; until it is known its progress answers only show that it lives. */
  async #learnVersion(endpoint: string): Promise<void> {
    this.#ordered.set(endpoint, false);
    try {
      const plan = { effect: "read", endpoint, requireLeader: false } as const;
      const { version } = await runUnary(this.#ports, statusMethod, {}, plan);
      this.#ordered.set(endpoint, answersProgressInOrder(version));
    } catch {
      // Asked again at the next answer; without it only the cursor of quiet watches ages.
      this.#ordered.delete(endpoint);
    }
  }

  #watchForStall(): void {
    this.#stallTimer?.cancel();
    const patienceMs = Math.min(stallMsMax, this.#stallMs * 2 ** Math.min(this.#stalls, 10));
    const { scheduler, clock } = this.#ports;
    const dueMs = Math.max(timerStepMs, this.#quietSinceMs + patienceMs - clock.monotonicMs());
    this.#stallTimer = scheduler.after(
      dueMs,
      // After a pause of the process frames may be waiting in the socket: they are read first.
      () => scheduler.atTurnEnd(() => this.#onStallTimer(patienceMs)),
      { background: true },
    );
  }

  #onStallTimer(patienceMs: number): void {
    if (this.#stream === undefined) return;
    const quietMs = this.#ports.clock.monotonicMs() - this.#quietSinceMs;
    if (quietMs > patienceMs - timerStepMs) {
      if (this.#probing) {
        this.#stalls++;
        this.#onStreamEnd(
          new ConclaveError("UNAVAILABLE", `${this.#endpoint} has said nothing for ${Math.round(quietMs)} ms`),
        );
        return;
      }
      this.requestProgress();
      this.#probing = true;
      this.#quietSinceMs = this.#ports.clock.monotonicMs();
    }
    this.#watchForStall();
  }

  #onStreamEnd(error: ConclaveError): void {
    this.#dropStream();
    this.#ports.pool.failed(this.#endpoint);
    this.#failures++;
    if (error.grpcStatus !== undefined && hopeless.has(error.grpcStatus)) {
      const refused = [...this.#registrations];
      this.#registrations.clear();
      for (const { subscriber } of refused) subscriber.onRefused(error);
      return;
    }
    const delayMs = fullJitterMs(this.#ports.random, reconnectBackoff, this.#failures);
    this.#reconnect = this.#ports.scheduler.after(delayMs, () => {
      this.#reconnect = undefined;
      this.#ensureStream();
    });
    // Last, as its handlers may close watches and open others.
    this.#ports.onStatus({ type: "watchDisconnected", endpoint: this.#endpoint, error });
    for (const { subscriber } of [...this.#registrations]) subscriber.onDisconnected(error);
  }

  #dropStream(): void {
    this.#reconnect?.cancel();
    this.#reconnect = undefined;
    this.#stallTimer?.cancel();
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#answered = false;
    this.#byId = new Map();
    this.#unconfirmed = [];
    this.#requestsWithoutAnswer = 0;
  }
}
