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

/** The fields of the lowest ids, which are the usual ones. */
const fieldsOfIds: Uint8Array[] = [];
const keptIds = 4096;

/** The field of an id from 0 to 2^31 - 1, as the hub gives them out; zero is left out. */
function encodeSmallId(watchId: number): Uint8Array {
  if (watchId === 0) return emptyBytes;
  const bytes = [watchIdTag];
  let rest = watchId;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function idField(watchId: number): Uint8Array {
  const known = fieldsOfIds[watchId];
  if (known !== undefined) return known;
  const field = encodeSmallId(watchId);
  if (watchId < keptIds) fieldsOfIds[watchId] = field;
  return field;
}

/** Whether a response carries nothing but header, id and events. */
function isPlain({ created, canceled, compactRevision, cancelReason, fragment }: WatchHubResponse): boolean {
  return !created && !canceled && !fragment && compactRevision === 0 && cancelReason === "";
}

/**
 * Parts that make up the same bytes as `WatchResponse.encode(response).finish()`, in order. Watchers of one range share
 * most of them, so they must not be changed.
 */
export function encodeWatchResponse(response: WatchHubResponse): readonly Uint8Array[] {
  const { header, watchId } = response;
  const events = encodeEvents(response.events);
  if (header === undefined || watchId < 0n || watchId > 0x7fff_ffffn || !isPlain(response))
    return [WatchResponse.encode({ ...response, events: [] }).finish(), events];
  return [encodeHeader(header), idField(Number(watchId)), events];
}
