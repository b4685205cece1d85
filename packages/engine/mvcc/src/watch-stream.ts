import type { ResponseHeader, WatchCreateRequest } from "@conclave/protocol/etcdserverpb";
import { WatchCreateRequest_FilterType as FilterType } from "@conclave/protocol/etcdserverpb";
import { type KeyRange, keyRange } from "./key-range.ts";
import { saturate } from "./saturate.ts";
import { blankResponse, eventsResponse, type WatchEvent, type WatchHubResponse } from "./watch-event.ts";
import { splitResponse } from "./watch-fragments.ts";
import { eventForm, type Watcher, type WatcherStream } from "./watcher.ts";

/** Where a stream's responses go. */
export interface WatchSink {
  /**
   * Takes a response; never throws.
   *
   * @returns false if it wants no more events until {@link WatchStream.resume}. What it was given it keeps. Answers to
   *   requests still come, so whoever bounds the memory of a sink reads no further request while it is full.
   */
  send(response: WatchHubResponse): boolean;
}

/** The watchers of one client stream. */
export interface WatchStream {
  /**
   * Creates a watcher and answers with `created`; events follow. A request that cannot be served is answered with
   * `created` and `canceled`, watch id -1 and the reason.
   */
  create(request: WatchCreateRequest): void;
  /**
   * Cancels a watcher and answers so; an id that is not there gets no answer.
   *
   * @param reason - why, if it is not the client's wish; default: none is given
   */
  cancel(watchId: bigint, reason?: string): void;
  /** Answers to a create request that somebody else than the hub refuses, in the hub's own form. */
  refuse(reason: string): void;
  /**
   * Answers, with watch id -1, that every event up to the header's revision has been sent. There is no answer unless
   * that is so: all watchers must have caught up and started, and there must be one.
   */
  requestProgress(): void;
  /**
   * Tells each watcher that asked for progress notifications how far it has been served, unless it has been given an
   * event since the last call or is behind. To be called every ten minutes or so.
   */
  notifyProgress(): void;
  /** Says that a sink that was full takes events again. */
  resume(): void;
  /** Forgets the stream; its sink gets nothing any more. */
  close(): void;
  /** Number of watchers. */
  readonly watcherCount: number;
}

/** What a stream needs of its hub. */
export interface WatchStreamHost {
  /** Current revision of the store. */
  readonly revision: number;
  /** From this encoded size on, responses are split for watchers that allow it. */
  readonly fragmentBytes: number;
  /** The header of a response, which names a revision. */
  header(revision: number): ResponseHeader;
  /** Gives the synced watchers all there is for them. */
  publish(): void;
  /** Takes up a watcher where its next revision says. */
  admit(watcher: Watcher): void;
  /** Lets go of a watcher. */
  release(watcher: Watcher): void;
  /** Takes up the watchers that were waiting for a stream. */
  resume(stream: WatcherStream): void;
  /** Lets go of a stream. */
  forget(stream: SinkStream): void;
}

const noWatchId = -1n;
const emptyRange = "mvcc: watcher range is empty";
const duplicateId = "mvcc: duplicate watch ID provided on the WatchStream";
const compacted = "etcdserver: mvcc: required revision has been compacted";

/** The range that a create request names; an empty key stands for the lowest one. */
function watchedRange({ key, rangeEnd }: WatchCreateRequest): KeyRange {
  return keyRange(key.length === 0 ? new Uint8Array(1) : key, rangeEnd);
}

function isEmpty({ start, end }: KeyRange): boolean {
  return end !== undefined && end <= start;
}

/** A stream over a sink. */
export class SinkStream implements WatchStream, WatcherStream {
  readonly waiting: Set<Watcher> = new Set();
  readonly #host: WatchStreamHost;
  readonly #sink: WatchSink;
  readonly #watchers = new Map<bigint, Watcher>();
  /** Ids of watchers that ended by a compaction: theirs until the client cancels them, as in etcd. */
  readonly #endedIds = new Set<bigint>();
  #nextId = 0n;
  #full = false;
  #closed = false;

  constructor(host: WatchStreamHost, sink: WatchSink) {
    this.#host = host;
    this.#sink = sink;
  }

  get full(): boolean {
    return this.#full;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** Its watchers. */
  get watchers(): Iterable<Watcher> {
    return this.#watchers.values();
  }

  create(request: WatchCreateRequest): void {
    const range = watchedRange(request);
    if (request.startRevision < 0n) this.refuse(compacted);
    else if (isEmpty(range)) this.refuse(emptyRange);
    else if (request.watchId !== 0n && this.#isTaken(request.watchId)) this.refuse(duplicateId);
    else this.#start(request, range);
  }

  cancel(watchId: bigint, reason: string = ""): void {
    const watcher = this.#watchers.get(watchId);
    if (watcher !== undefined) this.#end(watcher);
    else if (!this.#endedIds.delete(watchId)) return;
    this.#answer({ watchId, canceled: true, cancelReason: reason });
  }

  refuse(cancelReason: string): void {
    this.#answer({ watchId: noWatchId, created: true, canceled: true, cancelReason });
  }

  requestProgress(): void {
    if (this.#watchers.size === 0) return;
    this.#host.publish();
    for (const watcher of this.#watchers.values()) if (!this.#isServed(watcher)) return;
    this.#answer({ watchId: noWatchId });
  }

  notifyProgress(): void {
    this.#host.publish();
    for (const watcher of this.#watchers.values()) {
      if (this.#full) return;
      if (watcher.notifiesProgress && watcher.quiet && this.#isServed(watcher)) this.#answer({ watchId: watcher.id });
      watcher.quiet = true;
    }
  }

  resume(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#host.resume(this);
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers.values()) this.#end(watcher);
    this.#host.forget(this);
  }

  deliver(watcher: Watcher, events: WatchEvent[], header: ResponseHeader): void {
    watcher.quiet = false;
    const response = eventsResponse(events, { header, watchId: watcher.id });
    if (!watcher.fragments) this.#send(response);
    else for (const piece of splitResponse(response, this.#host.fragmentBytes)) this.#send(piece);
  }

  endCompacted(watcher: Watcher, compactRevision: number): void {
    this.#end(watcher);
    this.#endedIds.add(watcher.id);
    const response = { ...blankResponse([]), watchId: watcher.id, canceled: true, compactRevision };
    this.#send({ ...response, header: this.#host.header(0) });
  }

  #start(request: WatchCreateRequest, range: KeyRange): void {
    const { revision } = this.#host;
    const startRevision = saturate(request.startRevision);
    const watcher: Watcher = {
      id: request.watchId === 0n ? this.#takeId() : request.watchId,
      stream: this,
      range,
      form: eventForm({
        puts: !request.filters.includes(FilterType.NOPUT),
        deletes: !request.filters.includes(FilterType.NODELETE),
        previous: request.prevKv,
      }),
      fragments: request.fragment,
      notifiesProgress: request.progressNotify,
      startRevision,
      nextRevision: startRevision === 0 ? revision + 1 : startRevision,
      state: "ended",
      quiet: true,
    };
    this.#watchers.set(watcher.id, watcher);
    this.#answer({ watchId: watcher.id, created: true });
    if (!this.#closed) this.#host.admit(watcher); // The sink may have closed the stream meanwhile.
  }

  #end(watcher: Watcher): void {
    this.#watchers.delete(watcher.id);
    this.#host.release(watcher);
  }

  #isTaken(watchId: bigint): boolean {
    return this.#watchers.has(watchId) || this.#endedIds.has(watchId);
  }

  #takeId(): bigint {
    while (this.#isTaken(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  /** Whether a watcher has started and has been given everything up to the current revision. */
  #isServed(watcher: Watcher): boolean {
    return watcher.state === "synced" && watcher.startRevision <= this.#host.revision;
  }

  #answer(answer: Partial<WatchHubResponse>): void {
    const { revision } = this.#host;
    this.#send({ ...blankResponse([]), header: this.#host.header(revision), ...answer });
  }

  #send(response: WatchHubResponse): void {
    if (!this.#closed && !this.#sink.send(response)) this.#full = true;
  }
}
