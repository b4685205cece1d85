/** @module A watcher at a member, which goes on at another member when the way to its own is lost. */
import { randomInt } from "node:crypto";
import { GrpcStatus, wireErrors } from "@conclave/protocol";
import {
  type WatchCreateRequest,
  WatchDefinition,
  type WatchRequest,
  type WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import { RpcError } from "@conclave/rpc";
import type { Caller } from "./caller.ts";
import { type Upstream, type UpstreamStream, upstreamMethod } from "./upstream.ts";

const method = upstreamMethod(WatchDefinition, WatchDefinition.methods.watch);

/** Streams that may be lost in a row before the watcher is given up: with the pauses between, about 10 s. */
const lossesMax = 10;
const pauseMsMin = 50;
const pauseMsMax = 2_000;

/** Who hears of the watcher. */
export interface UpstreamWatchSink {
  /** Takes a response; that it was made is told once, however often it had to be made anew. */
  onResponse(response: WatchResponse): void;
  /** The way to the members is lost for good. */
  onLost(error: RpcError): void;
}

/** What a watcher at a member needs. */
export interface UpstreamWatchOptions {
  /** The members. */
  readonly upstream: Upstream;
  /** Who watches. */
  readonly caller: Caller;
  /** What to watch. */
  readonly request: WatchCreateRequest;
  /** The first revision that was not heard of yet; undefined if a revision was heard of in part. */
  readonly nextRevision: () => bigint | undefined;
}

/** A watcher on a stream of its own. */
export class UpstreamWatch {
  readonly #options: UpstreamWatchOptions;
  readonly #sink: UpstreamWatchSink;
  #stream: UpstreamStream<WatchRequest>;
  #pauseTimer: NodeJS.Timeout | undefined;
  #losses = 0;
  #isCreated = false;
  #isPaused = false;
  #isProgressAwaited = false;

  constructor(options: UpstreamWatchOptions, sink: UpstreamWatchSink) {
    this.#options = options;
    this.#sink = sink;
    this.#stream = this.#open();
  }

  /** Asks the member to make it. Its sink hears nothing before this is called. */
  start(): void {
    this.#create(this.#options.request.startRevision);
  }

  /** Ends it; its sink hears nothing more. */
  cancel(): void {
    clearTimeout(this.#pauseTimer);
    this.#stream.cancel();
  }

  /** Takes nothing more off the network until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }

  /** Goes on. */
  resume(): void {
    this.#isPaused = false;
    this.#stream.resume();
  }

  /** Whether it takes nothing off the network. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Asks how far the watcher has been served; a response without events and with a negative id says so. */
  requestProgress(): void {
    this.#isProgressAwaited = true;
    this.#stream.send({ requestUnion: { $case: "progressRequest", value: {} } });
  }

  #open(): UpstreamStream<WatchRequest> {
    const { upstream, caller } = this.#options;
    const stream = upstream.openStream(method, caller, {
      onResponse: (response) => this.#onResponse(response),
      onEnd: (error) => this.#onEnd(error ?? new RpcError(GrpcStatus.Unavailable, "the member ended the stream")),
    });
    if (this.#isPaused) stream.pause();
    return stream;
  }

  #create(startRevision: bigint): void {
    const value = { ...this.#options.request, startRevision, watchId: 0n };
    this.#stream.send({ requestUnion: { $case: "createRequest", value } });
  }

  #onResponse(response: WatchResponse): void {
    const isMade = response.created && !response.canceled;
    if (isMade) this.#losses = 0;
    if (response.events.length === 0 && response.watchId < 0n) this.#isProgressAwaited = false;
    if (isMade && this.#isCreated) {
      if (this.#isProgressAwaited) this.requestProgress();
      return;
    }
    this.#isCreated ||= isMade;
    this.#sink.onResponse(response);
  }

  #onEnd(error: RpcError): void {
    const next = this.#options.nextRevision();
    // A client that asks not to be served without a leader wants to hear of it.
    const isPassing = error.status === GrpcStatus.Unavailable && error.message !== wireErrors.NoLeader.text;
    if (!isPassing || next === undefined || this.#losses >= lossesMax) {
      this.#sink.onLost(error);
      return;
    }
    const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** this.#losses++);
    // Many that have lost the same member do not all come back at once.
    const spreadMs = randomInt(pauseMs, 2 * pauseMs);
    this.#pauseTimer = setTimeout(() => {
      this.#stream = this.#open();
      this.#create(next);
    }, spreadMs);
  }
}
