/**
 * @module A watch as the peers do it: one create request, a cursor that follows what is at hand, events handed to a
 * callback as they come.
 */
import type { Scheduler } from "@conclave/base";
import type { ClientTransport } from "@conclave/client";
import { WatchRequest, WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { Event } from "@conclave/protocol/mvccpb";

/** How naive. */
export interface NaiveWatchOptions {
  /** What the next start follows: the header of each response, or each event. */
  readonly cursor: "header" | "event";
  /** Where to begin. */
  readonly from: number;
  /** Takes each event. */
  readonly onEvent: (event: Event) => void;
  /** The keys; default: all. */
  readonly key?: Uint8Array;
  /** Default: all. */
  readonly rangeEnd?: Uint8Array;
}

const everything = new Uint8Array(1);

/** The watch. */
export class NaiveWatcher {
  /** Whether its channel was closed by the member: whoever reads it sees no more. */
  ended = false;
  readonly #transport: ClientTransport;
  readonly #scheduler: Scheduler;
  readonly #options: NaiveWatchOptions;
  #next: number;

  constructor(transport: ClientTransport, scheduler: Scheduler, options: NaiveWatchOptions) {
    this.#transport = transport;
    this.#scheduler = scheduler;
    this.#options = options;
    this.#next = options.from;
    this.#open();
  }

  #open(): void {
    const stream = this.#transport.stream(
      { endpoint: "m1:1", path: "/etcdserverpb.Watch/Watch", metadata: {} },
      {
        onMessage: (message) => this.#onResponse(WatchResponse.decode(message)),
        onEnd: () => this.#scheduler.after(10, () => this.#open()),
      },
    );
    const { key = everything, rangeEnd = everything } = this.#options;
    const value = { key, rangeEnd, startRevision: BigInt(this.#next), watchId: 1n, fragment: true };
    stream.write(
      WatchRequest.encode(WatchRequest.fromPartial({ requestUnion: { $case: "createRequest", value } })).finish(),
    );
  }

  #onResponse({ watchId, canceled, events, header }: WatchResponse): void {
    if (watchId !== 1n) return;
    if (canceled) this.ended = true;
    for (const event of events) {
      this.#options.onEvent(event);
      if (this.#options.cursor === "event") this.#next = (event.kv?.modRevision ?? 0) + 1;
    }
    if (this.#options.cursor === "header") this.#next = (header?.revision ?? 0) + 1;
  }
}
