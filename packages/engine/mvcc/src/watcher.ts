import type { ResponseHeader } from "@conclave/protocol/etcdserverpb";
import type { KeyRange } from "./key-range.ts";
import type { WatchEvent } from "./watch-event.ts";

/**
 * Where a watcher stands.
 *
 * - `synced`: it has been given everything that was published; what is published next reaches it at once
 * - `unsynced`: it is behind and reads history
 * - `waiting`: it is behind, and its stream takes nothing at the moment
 * - `ended`: it gets nothing any more
 */
export type WatcherState = "synced" | "unsynced" | "waiting" | "ended";

/** In which form a watcher wants its events. There are eight; each is one object, so forms compare by identity. */
export interface EventForm {
  readonly puts: boolean;
  readonly deletes: boolean;
  /** Whether events carry the pair before them. */
  readonly previous: boolean;
}

const booleans = [false, true];
const forms: readonly EventForm[] = booleans.flatMap((puts) =>
  booleans.flatMap((deletes) => booleans.map((previous) => ({ puts, deletes, previous }))),
);

/** The one object that stands for a form. */
export function eventForm({ puts, deletes, previous }: EventForm): EventForm {
  return forms[(puts ? 4 : 0) + (deletes ? 2 : 0) + (previous ? 1 : 0)] as EventForm;
}

/** The stream of a watcher, as the hub sees it. */
export interface WatcherStream {
  /** Whether its sink takes no more events for now. */
  readonly full: boolean;
  /** The watchers that are waiting for it. */
  readonly waiting: Set<Watcher>;
  /** Hands events to the sink, under a header that may be shared. */
  deliver(watcher: Watcher, events: WatchEvent[], header: ResponseHeader): void;
  /** Ends a watcher whose next revision has been compacted. */
  endCompacted(watcher: Watcher, compactRevision: number): void;
}

/** Who is told about the events of a range. */
export interface Watcher {
  /** Unique in its stream. */
  readonly id: bigint;
  readonly stream: WatcherStream;
  readonly range: KeyRange;
  readonly form: EventForm;
  /** Whether large responses may be split. */
  readonly fragments: boolean;
  /** Whether it is told from time to time how far it has been served. */
  readonly notifiesProgress: boolean;
  /** The revision it was asked to start at; 0 if it started with what came next. */
  readonly startRevision: number;
  /**
   * Every event below this revision has been delivered or lies before the start. That of a synced watcher may lag
   * behind the current revision: there was nothing for it in between.
   */
  nextRevision: number;
  state: WatcherState;
  /** Whether it has been given no event since progress notifications were last due. */
  quiet: boolean;
}
