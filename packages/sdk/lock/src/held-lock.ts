/** @module A lock that is held, as its holder has it. */
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  type EventSource,
  ForwardedOwnership,
  IsolatedEmitter,
  type Ownership,
  warnOfHandlerError,
} from "@conclave/client";
import { type ReleaseRequest, releaseRequestsOf } from "./release-request.ts";

/** The events of a lock that is held. */
export type HeldLockEvents = {
  /** The lock is lost: `SESSION_LOST`. Emitted once, and not when it is released. */
  lost: [error: ConclaveError];
  /** Somebody asks the holder to give way. */
  releaseRequested: [request: ReleaseRequest];
};

/** A lock that is held: {@link Ownership} of the lock's name. `await using` releases it at the end of the scope. */
export interface HeldLock extends Ownership, EventSource<HeldLockEvents> {
  /** The lock's name. */
  readonly name: string;
  /**
   * Resolves with the first request to give way, also one from before it was asked for; with undefined if the lock ends
   * without one. Never rejects. A watch begins when it is first read, and when a handler of the event is added.
   */
  readonly releaseRequested: Promise<ReleaseRequest | undefined>;
  /** Every request to give way, from the first one on. Ends with the lock, or when `signal` aborts. */
  releaseRequests(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncGenerator<ReleaseRequest, void, undefined>;
}

/** What a holding is made of. */
export interface HoldingParts {
  /** The client. */
  readonly client: ClientView;
  /** The lock's name. */
  readonly name: string;
  /** What is owned. */
  readonly ownership: Ownership;
  /** Gives it up. Default: releases the ownership. */
  readonly giveUp?: ((options?: CallOptions) => Promise<void>) | undefined;
}

/** One holder's hold of a lock. */
export class Holding extends ForwardedOwnership implements HeldLock {
  readonly name: string;
  readonly #parts: HoldingParts;
  readonly #events = new IsolatedEmitter<HeldLockEvents>(warnOfHandlerError);
  #isReleased = false;
  #firstRequest: Promise<ReleaseRequest | undefined> | undefined;

  constructor(parts: HoldingParts) {
    super(parts.ownership);
    this.name = parts.name;
    this.#parts = parts;
    void parts.ownership.ended.then((error) => {
      if (error.code === "SESSION_LOST") this.#events.emit("lost", error);
    });
  }

  /** Another hold of the same lock, given up in its own way. */
  share(giveUp: (options?: CallOptions) => Promise<void>): Holding {
    return new Holding({ ...this.#parts, giveUp });
  }

  override get held(): boolean {
    return !this.#isReleased && super.held;
  }

  override get remainingMs(): number {
    return this.#isReleased ? 0 : super.remainingMs;
  }

  get releaseRequested(): Promise<ReleaseRequest | undefined> {
    this.#firstRequest ??= this.#watchRequests();
    return this.#firstRequest;
  }

  on<Name extends keyof HeldLockEvents>(name: Name, handler: (...args: HeldLockEvents[Name]) => unknown): () => void {
    const off = this.#events.on(name, handler);
    if (name === "releaseRequested") void this.releaseRequested;
    return off;
  }

  once<Name extends keyof HeldLockEvents>(name: Name, handler: (...args: HeldLockEvents[Name]) => unknown): () => void {
    const off = this.#events.once(name, handler);
    if (name === "releaseRequested") void this.releaseRequested;
    return off;
  }

  releaseRequests({
    signal,
  }: {
    readonly signal?: AbortSignal | undefined;
  } = {}): AsyncGenerator<ReleaseRequest, void, undefined> {
    return releaseRequestsOf(this.#parts.client, this.name, this.#parts.ownership, signal);
  }

  override assertHeld(): void {
    if (this.#isReleased) throw new ConclaveError("CLOSED", `The lock "${this.name}" was released`);
    super.assertHeld();
  }

  override release(options?: CallOptions): Promise<void> {
    this.#isReleased = true;
    const { giveUp } = this.#parts;
    return giveUp === undefined ? super.release(options) : giveUp(options);
  }

  /** Tells every request as an event, for as long as the lock lasts. @returns the first */
  #watchRequests(): Promise<ReleaseRequest | undefined> {
    return new Promise((resolve) => {
      const follow = async (): Promise<void> => {
        for await (const request of this.releaseRequests()) {
          resolve(request);
          this.#events.emit("releaseRequested", request);
        }
      };
      // A watch that fails, as where reading is not allowed, tells of no request.
      follow().then(
        () => resolve(undefined),
        () => resolve(undefined),
      );
    });
  }
}
