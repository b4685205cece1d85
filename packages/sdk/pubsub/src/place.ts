/**
 * @module The place of a message among those of its topic, or of several: by the revision that published it, then by topic
 * and id, as one transaction may publish many. Stored as `<position> <topic>/<id>`, or `<position>` for before all of them.
 */
import type { LogEntry } from "./message.ts";

/** A place: that of a message, or between messages. */
export interface Place {
  /** The revision that published it. */
  readonly position: number;
  /** What tells messages of one revision apart; empty for before all of them. */
  readonly tie: string;
}

/** Before everything. */
export const startPlace: Place = { position: 0, tie: "" };

/** After everything that a revision published. */
export function afterRevision(revision: number): Place {
  return { position: revision + 1, tie: "" };
}

/** The place of a message. */
export function placeOf({ kv, topic, id }: LogEntry): Place {
  return { position: kv.createRevision, tie: `${topic}/${id}` };
}

/** Whether a place lies behind another. */
export function isAfter(place: Place, other: Place): boolean {
  return place.position === other.position ? place.tie > other.tie : place.position > other.position;
}

/** Orders messages by their places. */
export function byPlace(one: LogEntry, other: LogEntry): number {
  const [first, second] = [placeOf(one), placeOf(other)];
  if (isAfter(first, second)) return 1;
  return isAfter(second, first) ? -1 : 0;
}

/** A place as it is stored. */
export function formatPlace({ position, tie }: Place): string {
  return tie === "" ? String(position) : `${position} ${tie}`;
}

/** Reads a stored place; what is no place is before everything. */
export function parsePlace(text: string | undefined): Place {
  const match = /^(\d{1,16})(?: (.+))?$/.exec(text ?? "");
  return match === null ? startPlace : { position: Number(match[1]), tie: match[2] ?? "" };
}
