/**
 * @module The bytes of a watch response, for many watchers at once.
 *
 * ```
 *  0a len header │ 10 watch_id │ 5a len event  5a len event …
 *  one publication: shared      │ own         │ one range: shared
 * ```
 *
 * The header is one object for all responses of a publication, and the watchers of one range share one array of events:
 * the bytes of both are made once and kept as long as those objects live.
 */
import { concatBytes, emptyBytes } from "@conclave/base";
import { type ResponseHeader, WatchResponse } from "@conclave/protocol/etcdserverpb";
import { blankResponse, type WatchEvent, type WatchHubResponse } from "./watch-event.ts";

const bytesOfHeader = new WeakMap<ResponseHeader, Uint8Array>();
const bytesOfEvents = new WeakMap<readonly WatchEvent[], Uint8Array>();
const watchIdTag = 0x10;

function encodeHeader(header: ResponseHeader): Uint8Array {
  const known = bytesOfHeader.get(header);
  if (known !== undefined) return known;
  const bytes = WatchResponse.encode({ ...blankResponse([]), header }).finish();
  bytesOfHeader.set(header, bytes);
  return bytes;
}

function encodeEvents(events: readonly WatchEvent[]): Uint8Array {
  const [first] = events;
  if (first === undefined) return emptyBytes;
  if (events.length === 1) return first.fieldBytes;
  const known = bytesOfEvents.get(events);
  if (known !== undefined) return known;
  const bytes = concatBytes(events.map((event) => event.fieldBytes));
  bytesOfEvents.set(events, bytes);
  return bytes;
}

/** The field of an id from 0 to 2^31 - 1, as the hub gives them out; zero is left out. */
function encodeSmallId(watchId: number): number[] {
  if (watchId === 0) return [];
  const bytes = [watchIdTag];
  let rest = watchId;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Whether a response carries nothing but header, id and events. */
function isPlain({ created, canceled, compactRevision, cancelReason, fragment }: WatchHubResponse): boolean {
  return !created && !canceled && !fragment && compactRevision === 0 && cancelReason === "";
}

/** The same bytes as `WatchResponse.encode(response).finish()`, sharing the work among the watchers of a range. */
export function encodeWatchResponse(response: WatchHubResponse): Uint8Array {
  const { header, watchId } = response;
  const events = encodeEvents(response.events);
  if (header === undefined || watchId < 0n || watchId > 0x7fff_ffffn || !isPlain(response)) {
    return concatBytes([WatchResponse.encode({ ...response, events: [] }).finish(), events]);
  }
  const headerBytes = encodeHeader(header);
  const id = encodeSmallId(Number(watchId));
  const bytes = new Uint8Array(headerBytes.length + id.length + events.length);
  bytes.set(headerBytes);
  bytes.set(id, headerBytes.length);
  bytes.set(events, headerBytes.length + id.length);
  return bytes;
}
