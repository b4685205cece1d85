/** @module The consumer's end of a watch: where batches wait, and how they are taken. */

import { ConclaveError, isConclaveError } from "../conclave-error.ts";
import { type EventSource, type HandlerErrorSink, IsolatedEmitter } from "../isolated-emitter.ts";
import { BatchQueue } from "./batch-queue.ts";
import { coalesce, type WatchBatch } from "./watch-batch.ts";
import type { WatchEvents } from "./watch-options.ts";

/** What an outlet tells the watch. */
export interface OutletOwner {
  /** The consumer has taken a batch. */
  onTaken(): void;
  /** The consumer wants no more. */
  onLeft(): void;
}

/** Holds batches until the one consumer, an iteration or handlers, takes them. */
export class WatchOutlet {
  readonly #owner: OutletOwner;
  readonly #queue = new BatchQueue<WatchBatch>((batch) => batch.events.length + 1);
  readonly #events: IsolatedEmitter<WatchEvents>;
  #cursor: number | undefined;
  #consumer: "none" | "iterator" | "handlers" = "none";

  /**
   * @param owner - hears what the consumer does
   * @param onHandlerError - takes what handlers throw
   */
  constructor(owner: OutletOwner, onHandlerError: HandlerErrorSink) {
    this.#owner = owner;
    this.#events = new IsolatedEmitter(onHandlerError);
  }

  /** The last revision that was handed over whole. */
  get cursor(): number | undefined {
    return this.#cursor;
  }

  /** What waits: events, and one for every batch. */
  get size(): number {
    return this.#queue.size;
  }

  /** How many events wait. */
  get bufferedEvents(): number {
    return this.#queue.size - this.#queue.length;
  }

  /** Puts a batch in line. */
  deliver(batch: WatchBatch): void {
    this.#queue.push(batch);
  }

  /** Makes one batch of those that wait since the last state was told. */
  coalesce(): void {
    const from = this.#queue.findLastIndex(({ kind }) => kind === "resync") + 1;
    this.#queue.replaceFrom(from, (batches) => {
      const events = batches.filter((batch) => batch.kind === "events");
      const last = batches.at(-1);
      const merged = events.length < 2 ? events : [coalesce(events)];
      // Only a report of progress that nothing follows says anything.
      return last?.kind === "progress" ? [...merged, last] : merged;
    });
  }

  /** Moves the cursor of a consumer that has taken everything. */
  skipTo(revision: number): void {
    if (this.#queue.length === 0) this.#cursor = revision;
  }

  /** Nothing follows but what waits, unless that is dropped. */
  end(error: ConclaveError | undefined, options: { readonly drop: boolean }): void {
    this.#queue.end(error, options);
    this.#events.emit("end", error);
  }

  /** Tells handlers of the connection. */
  emit<Name extends "connected" | "disconnected">(name: Name, ...args: WatchEvents[Name]): void {
    this.#events.emit(name, ...args);
  }

  /** Adds a handler; one for what is told makes the handlers the consumer. */
  on: EventSource<WatchEvents>["on"] = (name, handler) => {
    this.#startIfConsuming(name);
    return this.#events.on(name, handler);
  };

  /** As `on`, for one event. */
  once: EventSource<WatchEvents>["once"] = (name, handler) => {
    this.#startIfConsuming(name);
    return this.#events.once(name, handler);
  };

  /** Makes an iteration the consumer. */
  iterate(): AsyncIterator<WatchBatch, undefined> {
    this.#claim("iterator");
    return {
      next: async () => {
        const batch = await this.#take();
        return batch === undefined ? { done: true, value: undefined } : { done: false, value: batch };
      },
      return: async () => {
        this.#owner.onLeft();
        return { done: true, value: undefined };
      },
    };
  }

  #startIfConsuming(name: keyof WatchEvents): void {
    const consumes = name === "batch" || name === "put" || name === "delete";
    if (!consumes || this.#consumer === "handlers") return;
    this.#claim("handlers");
    void this.#pump();
  }

  #claim(consumer: "iterator" | "handlers"): void {
    if (this.#consumer !== "none") {
      const message = `Cannot consume a watch twice: it is consumed by its ${this.#consumer} already`;
      throw new ConclaveError("INVALID_ARGUMENT", message);
    }
    this.#consumer = consumer;
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
    this.#owner.onTaken();
    return batch;
  }
}
