/**
 * @module The bytes of a watch response. Events are its last field, and the watchers of one range share one array of
 * them: its bytes are made once and kept as long as the array lives, and each watcher's response puts its own few
 * bytes in front.
 */
import { concatBytes } from "@conclave/base";
import { WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { WatchEvent, WatchHubResponse } from "./watch-event.ts";

const bytesOfEvents = new WeakMap<readonly WatchEvent[], Uint8Array>();

function encodeEvents(events: readonly WatchEvent[]): Uint8Array {
  const [first] = events;
  if (first !== undefined && events.length === 1) return first.fieldBytes;
  const known = bytesOfEvents.get(events);
  if (known !== undefined) return known;
  const bytes = concatBytes(events.map((event) => event.fieldBytes));
  bytesOfEvents.set(events, bytes);
  return bytes;
}

/** The same bytes as `WatchResponse.encode(response).finish()`, sharing the work among responses with the same events. */
export function encodeWatchResponse(response: WatchHubResponse): Uint8Array {
  const head = WatchResponse.encode({ ...response, events: [] }).finish();
  return response.events.length === 0 ? head : concatBytes([head, encodeEvents(response.events)]);
}
