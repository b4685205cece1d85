/**
 * @module The watch hub: brings the events of every commit to the watchers of the keys.
 *
 * ```text
 *               start revision in the future or 0
 *   create ────────────────────────────────────────────► synced ──── publish ───► sink
 *      │                                                  ▲    │ there is an event for it,
 *      │ in the past                         it caught up │    │ but its stream is full
 *      │                  resume                          │    ▼
 *      └────────────────────────► unsynced ── syncStep ──►┘  waiting ── resume ──► unsynced
 *                                     └── syncStep ─► sink ── full ──► waiting
 * ```
 *
 * Of a watcher that is not synced the hub keeps one number, the next revision, and nothing else: what it is owed stands
 * in the store's history. So a slow consumer costs no memory, holds up nobody, and misses nothing unless history is
 * compacted below that number; then it is told so and ends.
 */
import { invariant } from "@conclave/base";
import type { ResponseHeader } from "@conclave/protocol/etcdserverpb";
import type { HistoryQuery, HistorySlice } from "./history.ts";
import type { StoreEvent } from "./store-event.ts";
import { type EventSelection, selectEvents } from "./watch-selection.ts";
import { SinkStream, type WatchSink, type WatchStream, type WatchStreamHost } from "./watch-stream.ts";
import type { Watcher, WatcherState, WatcherStream } from "./watcher.ts";
import { WatcherGroup } from "./watcher-group.ts";

/** The store, as the hub sees it. */
export interface WatchHistory {
  /** Revision of the newest transaction. */
  readonly currentRevision: number;
  /** The oldest revision whose events can be read. */
  readonly compactRevision: number;
  /** Reads a part of the history. */
  eventsBetween(query: HistoryQuery): HistorySlice;
}

/** What a hub is made of. */
export interface WatchHubOptions {
  /** Where watchers that are behind read what they have missed. */
  readonly history: WatchHistory;
  /** Makes the header of a response that names a revision. */
  header(revision: number): ResponseHeader;
  /**
   * Called when {@link WatchHub.syncStep} has something to do and had nothing to do before; the caller then calls that
   * step by step, leaving room for other work, until it returns false.
   */
  onWork(): void;
  /**
   * The encoded size, in bytes, from which on a response of several events is split for watchers that allow it.
   * Default: 2 MiB, which is etcd's for its default request limit of 1.5 MiB.
   */
  readonly fragmentBytes?: number;
}

/** How many there are. */
export interface WatchHubStats {
  /** Open streams. */
  readonly streams: number;
  /** Watchers of all streams. */
  readonly watchers: number;
  /** Watchers that are behind. */
  readonly slowWatchers: number;
}

/** All watchers of a member. */
export interface WatchHub {
  /** Opens a stream whose responses go to a sink. */
  open(sink: WatchSink): WatchStream;
  /**
   * Takes note of a commit, to be published with the next step. Every commit must be told, in order, as soon as it can
   * be read from the history. Calls `onWork` if somebody may wait for it.
   *
   * @param events - its events, in order; at least one
   */
  commit(revision: number, events: readonly StoreEvent[]): void;
  /** Gives the synced watchers what was committed since the last time. */
  publish(): void;
  /**
   * Publishes, and brings some of the watchers that are behind forward, by at most `syncBatchRevisions` revisions.
   *
   * @returns whether more work remains
   */
  syncStep(): boolean;
  /**
   * Takes note that the history was replaced, mostly by one that goes further: whoever has not been given all of it
   * catches up, those whose next revision is compacted are canceled in their turn, and those whose next revision is
   * still to come stay where they are. To be called before anything else sees the new current revision; from when the
   * old history began to go until then no step may be taken. Calls `onWork` if there is something to do.
   */
  resync(): void;
  /** How many there are now. */
  readonly stats: WatchHubStats;
  /** Events given to watchers since the hub was made. */
  readonly deliveredEvents: number;
}

/** Most revisions, and most events, that one step reads from history; etcd's number. */
export const syncBatchRevisions = 1_000;
/**
 * Bytes of changes after which a step reads no further: about what a response to a watcher that is behind can hold, and
 * so what a stream that takes nothing can hold up.
 */
const syncBatchBytes = 512 * 1024;
/** Most watchers that one step serves; etcd's number. */
const syncBatchWatchers = 512;
const defaultFragmentBytes = 2 * 1024 * 1024;

/** Makes a hub without streams. */
export function createWatchHub(options: WatchHubOptions): WatchHub {
  return new Hub(options);
}

/** A commit that is not published yet. */
interface Commit {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

/** A part of history, as it concerns the watchers of one range. */
interface CatchUp {
  /** The first revision after it. */
  readonly nextRevision: number;
  /** Undefined if it holds nothing for them. */
  readonly selection: EventSelection | undefined;
  readonly header: ResponseHeader;
}

class Hub implements WatchHub, WatchStreamHost {
  readonly fragmentBytes: number;
  readonly #options: WatchHubOptions;
  readonly #streams = new Set<SinkStream>();
  readonly #synced = new WatcherGroup();
  readonly #unsynced = new WatcherGroup();
  /** The watchers of `#unsynced`; who has waited longest comes first. */
  readonly #queue = new Set<Watcher>();
  /** Up to here synced watchers have been given everything. */
  #publishedRevision: number;
  /** What came after that. */
  #commits: Commit[] = [];
  deliveredEvents = 0;

  constructor(options: WatchHubOptions) {
    this.#options = options;
    this.#publishedRevision = options.history.currentRevision;
    this.fragmentBytes = options.fragmentBytes ?? defaultFragmentBytes;
  }

  get revision(): number {
    return this.#options.history.currentRevision;
  }

  get stats(): WatchHubStats {
    let watchers = 0;
    for (const stream of this.#streams) watchers += stream.watcherCount;
    return { streams: this.#streams.size, watchers, slowWatchers: watchers - this.#synced.size };
  }

  open(sink: WatchSink): WatchStream {
    const stream = new SinkStream(this, sink);
    this.#streams.add(stream);
    return stream;
  }

  commit(revision: number, events: readonly StoreEvent[]): void {
    invariant(revision === this.revision, "a commit is told of before the next", revision, this.revision);
    const hadWork = this.#hasWork;
    this.#commits.push({ revision, events });
    if (this.#synced.size === 0)
      this.publish(); // Whoever comes later starts after it.
    else if (!hadWork) this.#options.onWork();
  }

  publish(): void {
    const commits = this.#commits;
    this.#commits = [];
    for (const commit of commits) this.#publish(commit);
  }

  syncStep(): boolean {
    this.publish();
    const watchers = this.#nextWatchers();
    const [first] = watchers;
    if (first !== undefined) this.#catchUp(watchers, first.nextRevision);
    return this.#hasWork;
  }

  resync(): void {
    const hadWork = this.#hasWork;
    this.#commits = []; // The new history holds them.
    for (const stream of this.#streams) for (const watcher of stream.watchers) this.#resyncWatcher(watcher);
    this.#publishedRevision = this.revision;
    if (hadWork && this.#queue.size > 0) this.#options.onWork(); // Else it was called if there is any.
  }

  header(revision: number): ResponseHeader {
    return this.#options.header(revision);
  }

  admit(watcher: Watcher): void {
    this.#move(watcher, watcher.nextRevision > this.revision ? "synced" : "unsynced");
  }

  release(watcher: Watcher): void {
    this.#move(watcher, "ended");
  }

  resume(stream: WatcherStream): void {
    for (const watcher of stream.waiting) this.admit(watcher);
  }

  forget(stream: SinkStream): void {
    this.#streams.delete(stream);
  }

  get #hasWork(): boolean {
    return this.#queue.size > 0 || this.#commits.length > 0;
  }

  #publish({ revision, events }: Commit): void {
    this.#publishedRevision = revision;
    const header = this.header(revision);
    for (const [watchers, selection] of selectEvents(this.#synced, events)) {
      for (const watcher of watchers) this.#offer(watcher, selection, header);
    }
  }

  #resyncWatcher(watcher: Watcher): void {
    // That of a synced watcher may lag behind; where it does, there was nothing for it.
    if (watcher.state === "synced") watcher.nextRevision = Math.max(watcher.nextRevision, this.#publishedRevision + 1);
    const isServed = watcher.nextRevision > this.revision;
    if (watcher.state === (isServed ? "unsynced" : "synced")) this.admit(watcher);
  }

  /** Gives a synced watcher what a commit holds for it. */
  #offer(watcher: Watcher, selection: EventSelection, header: ResponseHeader): void {
    const { revision } = header;
    if (revision < watcher.nextRevision) return; // It starts later, or has read it from the history.
    const events = selection.inForm(watcher.form);
    if (events.length === 0) return;
    if (watcher.stream.full) {
      watcher.nextRevision = revision;
      this.#move(watcher, "waiting");
    } else {
      watcher.nextRevision = revision + 1;
      this.deliveredEvents += events.length;
      watcher.stream.deliver(watcher, events, header);
    }
  }

  /**
   * The watcher that has waited longest and those whose next revision lies in the same part of history. Ends those at
   * the head of the queue that have been overtaken by a compaction.
   */
  #nextWatchers(): Watcher[] {
    const { compactRevision } = this.#options.history;
    const batch: Watcher[] = [];
    let from = 0;
    for (const watcher of this.#queue) {
      const { nextRevision } = watcher;
      if (nextRevision < compactRevision) watcher.stream.endCompacted(watcher, compactRevision);
      else if (batch.length === 0 || (nextRevision >= from && nextRevision < from + syncBatchRevisions)) {
        if (batch.length === 0) from = nextRevision;
        if (batch.push(watcher) === syncBatchWatchers) break;
      }
    }
    return batch;
  }

  #catchUp(watchers: readonly Watcher[], fromRevision: number): void {
    invariant(fromRevision <= this.revision, "whoever is behind has something to read", fromRevision, this.revision);
    const { events, nextRevision } = this.#options.history.eventsBetween({
      fromRevision,
      toRevision: Math.min(fromRevision + syncBatchRevisions, this.revision + 1),
      limit: syncBatchRevisions,
      limitBytes: syncBatchBytes,
      accepts: (key) => this.#unsynced.holds(key),
    });
    const selections = selectEvents(this.#unsynced, events);
    const header = this.header(this.revision);
    for (const watcher of watchers) {
      const rangeWatchers = this.#unsynced.of(watcher.range);
      const selection = rangeWatchers && selections.get(rangeWatchers);
      if (watcher.nextRevision < nextRevision) this.#advance(watcher, { nextRevision, selection, header });
    }
  }

  /** Gives a watcher what lies between its next revision and the one it will have then. */
  #advance(watcher: Watcher, { nextRevision, selection, header }: CatchUp): void {
    if (watcher.state !== "unsynced") return; // Its stream was closed while this step went on.
    const events = selection?.inFormFrom(watcher.form, watcher.nextRevision) ?? [];
    if (events.length > 0 && watcher.stream.full) {
      this.#move(watcher, "waiting");
      return;
    }
    watcher.nextRevision = nextRevision;
    if (nextRevision > this.revision) this.#move(watcher, "synced");
    else this.#moveToTail(watcher);
    this.deliveredEvents += events.length;
    if (events.length > 0) watcher.stream.deliver(watcher, events, header);
  }

  #addToQueue(watcher: Watcher): void {
    const hadWork = this.#hasWork;
    this.#queue.add(watcher);
    if (!hadWork) this.#options.onWork();
  }

  #moveToTail(watcher: Watcher): void {
    this.#queue.delete(watcher);
    this.#queue.add(watcher);
  }

  #move(watcher: Watcher, state: WatcherState): void {
    this.#leave(watcher);
    watcher.state = state;
    switch (state) {
      case "synced":
        this.#synced.add(watcher);
        break;
      case "unsynced":
        this.#unsynced.add(watcher);
        this.#addToQueue(watcher);
        break;
      case "waiting":
        watcher.stream.waiting.add(watcher);
        break;
      case "ended":
        break;
    }
  }

  #leave(watcher: Watcher): void {
    switch (watcher.state) {
      case "synced":
        this.#synced.delete(watcher);
        break;
      case "unsynced":
        this.#unsynced.delete(watcher);
        this.#queue.delete(watcher);
        break;
      case "waiting":
        watcher.stream.waiting.delete(watcher);
        break;
      case "ended":
        break;
    }
  }
}
