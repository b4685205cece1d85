import { WatchResponse } from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType as EventType, type KeyValue } from "@conclave/protocol/mvccpb";
import type { StoreEvent } from "./store-event.ts";

/** An event as responses carry it, with or without the pair before it; it is shared by all who want it so. */
export class WatchEvent implements Event {
  /** The pair before it, if it is carried, existed and had not been compacted when this was made. */
  readonly prevKv: KeyValue | undefined;
  readonly #event: StoreEvent;
  #fieldBytes: Uint8Array | undefined;

  /** @param withPrevious - whether it carries the pair before it, read from the store at once */
  constructor(event: StoreEvent, { withPrevious }: { readonly withPrevious: boolean }) {
    this.#event = event;
    this.prevKv = withPrevious ? event.prevKv() : undefined;
  }

  /** What happened. */
  get type(): EventType {
    return this.#event.type === "put" ? EventType.PUT : EventType.DELETE;
  }

  /** The new pair of a put; key and mod_revision of a delete. */
  get kv(): KeyValue {
    return this.#event.kv;
  }

  /** Revision of the transaction that made the change. */
  get modRevision(): number {
    return this.#event.modRevision;
  }

  /** The event as one field of an encoded WatchResponse, tag and length included; encoded once. */
  get fieldBytes(): Uint8Array {
    this.#fieldBytes ??= WatchResponse.encode(blankResponse([this])).finish();
    return this.#fieldBytes;
  }
}

/** A response that says nothing but that something happened. */
export function eventsResponse(
  events: WatchEvent[],
  { header, watchId }: Pick<WatchHubResponse, "header" | "watchId">,
): WatchHubResponse {
  return {
    header,
    watchId,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events,
  };
}

/** A response in the making: nothing but events. */
export function blankResponse(events: WatchEvent[]): WatchHubResponse {
  return eventsResponse(events, { header: undefined, watchId: 0n });
}

/** A response of the watch hub; `events` may be shared with other responses and must not be changed. */
export interface WatchHubResponse extends WatchResponse {
  events: WatchEvent[];
}
