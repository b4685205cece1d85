import { concatBytes } from "@conclave/base";
import fc from "fast-check";
import { expect, test } from "vitest";
import { watchLab } from "./testing/watch-lab.ts";
import { encodeWatchResponse } from "./watch-encoding.ts";
import type { WatchHubResponse } from "./watch-event.ts";
import { splitResponse } from "./watch-fragments.ts";

/** One response with so many events of so large values. */
function responseWith(valueLengths: readonly number[]) {
  const lab = watchLab();
  for (const length of valueLengths) lab.put("k", "x".repeat(length));
  const client = lab.open();
  client.create({ key: "k", start: 2 });
  lab.sync();
  const response = client.responses.at(-1);
  if (response === undefined) throw new Error("no response");
  return response;
}

function encodedBytes(response: WatchHubResponse): number {
  return concatBytes(encodeWatchResponse(response)).length;
}

test("what fits is not split", () => {
  const response = responseWith([10, 10]);
  expect(splitResponse(response, 1_000)).toEqual([response]);
  expect(splitResponse(response, 1_000)[0]?.events).toBe(response.events);
});

test("an event that is too large alone is not split", () => {
  const pieces = splitResponse(responseWith([5_000]), 100);
  expect(pieces.map(({ fragment, events }) => [fragment, events.length])).toEqual([[false, 1]]);
});

test("pieces hold all events in order, stay below the size unless they are single, and only the last is not marked", () => {
  const lengths = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 1_000 }), (valueLengths, maxBytes) => {
      const response = responseWith(valueLengths);
      const pieces = splitResponse(response, maxBytes);
      expect(pieces.flatMap(({ events }) => events)).toEqual(response.events);
      expect(pieces.map(({ fragment }) => fragment)).toEqual(pieces.map((_, index) => index < pieces.length - 1));
      for (const piece of pieces) if (piece.events.length > 1) expect(encodedBytes(piece)).toBeLessThan(maxBytes);
      for (const [index, piece] of pieces.entries()) {
        const next = pieces[index + 1]?.events[0];
        const larger = { ...piece, fragment: true, events: next === undefined ? [] : [...piece.events, next] };
        if (next !== undefined) expect(encodedBytes(larger)).toBeGreaterThanOrEqual(maxBytes);
      }
    }),
  );
});
