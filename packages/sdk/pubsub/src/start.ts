import { z } from "zod";
import { publishedAtMsOf } from "./message.ts";
import type { MessageLog } from "./message-log.ts";
import { afterRevision, type Place, placeOf, startPlace } from "./place.ts";

/**
 * Where a reader starts. `"now"`: with what is published from now on. `"earliest"`: with the oldest message that is kept. A
 * position: with what came after it. A `Date`: with the first message, in the topic's order, that was published then or
 * later by its publisher's clock, and everything after it.
 */
export type Start = "now" | "earliest" | number | Date;

/** The shape of {@link Start}. */
export const startSchema: z.ZodType<Start> = z.union([z.enum(["now", "earliest"]), z.number().int().min(0), z.date()]);

/** Finds the place of a start. A time is looked for from the oldest message on. */
export async function placeOfStart(log: MessageLog, from: Start, signal: AbortSignal): Promise<Place> {
  if (from === "now") return await log.end(signal);
  if (from === "earliest") return startPlace;
  if (typeof from === "number") return afterRevision(from);
  const stored = log.stored(startPlace, signal);
  for (;;) {
    const next = await stored.next();
    if (next.done === true) return afterRevision(next.value);
    // What tells no time is as old as what is around it.
    if ((publishedAtMsOf(next.value.kv) ?? Number.NEGATIVE_INFINITY) < from.getTime()) continue;
    await stored.return(0);
    return { position: placeOf(next.value).position, tie: "" };
  }
}
