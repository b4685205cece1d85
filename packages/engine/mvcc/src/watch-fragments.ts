import { WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { WatchEvent, WatchHubResponse } from "./watch-event.ts";

/**
 * Splits a response that is too large into fragments, between any two events: also between those of one revision.
 * Every fragment but the last is marked, and holds at least one event.
 *
 * @param maxBytes - the encoded size at which a response with more than one event is split
 */
export function splitResponse(response: WatchHubResponse, maxBytes: number): WatchHubResponse[] {
  const headBytes = WatchResponse.encode({ ...response, fragment: true, events: [] }).finish().length;
  const pieces = splitEvents(response.events, maxBytes - headBytes);
  return pieces.map((events, index) => ({ ...response, fragment: index < pieces.length - 1, events }));
}

function splitEvents(events: WatchEvent[], maxBytes: number): WatchEvent[][] {
  const pieces: WatchEvent[][] = [];
  let piece: WatchEvent[] = [];
  let pieceBytes = 0;
  for (const event of events) {
    const eventBytes = event.fieldBytes.length;
    if (piece.length > 0 && pieceBytes + eventBytes >= maxBytes) {
      pieces.push(piece);
      piece = [];
      pieceBytes = 0;
    }
    piece.push(event);
    pieceBytes += eventBytes;
  }
  pieces.push(piece);
  return pieces.length === 1 ? [events] : pieces;
}
