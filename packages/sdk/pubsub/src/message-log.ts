import { type ClientView, isConclaveError, type KeyValue, type RangeResult } from "@conclave/client";
import type { LogEntry } from "./message.ts";
import { waitOut } from "./outage.ts";
import { afterRevision, byPlace, isAfter, type Place, placeOf } from "./place.ts";
import type { MessageSource } from "./topic-keys.ts";

/** Messages read at once. */
const pageSize = 256;

/** How a log is followed. */
export interface FollowOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Most messages that wait for the reader; undefined for what a watch does by itself. */
  readonly bufferMessages?: number | undefined;
}

interface Page extends Pick<RangeResult, "revision" | "more"> {
  readonly entries: readonly LogEntry[];
  /** Where the next page starts. */
  readonly next: Place;
}

/** The messages of a source: one key each, ordered by the revision that created it. */
export class MessageLog {
  readonly #client: ClientView;
  readonly #source: MessageSource;

  constructor(client: ClientView, source: MessageSource) {
    this.#client = client;
    this.#source = source;
  }

  /** The place after everything that is published by now. */
  async end(signal: AbortSignal): Promise<Place> {
    const count = () => this.#client.range(this.#source.range, { countOnly: true, signal });
    return afterRevision((await waitOut(this.#client, count, signal)).revision);
  }

  /**
   * Every message after a place, for ever: first those that are stored, then each as it is published, without a gap or
   * a repetition. Outages are waited out. Ends when the signal aborts.
   */
  async *after(place: Place, options: FollowOptions): AsyncGenerator<LogEntry, void, undefined> {
    try {
      for (let last = place; ; ) {
        for await (const entry of this.#storedThenPublished(last, options)) {
          last = placeOf(entry);
          yield entry;
        }
      }
    } catch (error) {
      if (!options.signal.aborted) throw error;
    }
  }

  /** Every stored message after a place, in order: those that there are when their page is read. */
  async *stored(place: Place, signal: AbortSignal): AsyncGenerator<LogEntry, number, undefined> {
    for (let from = place; ; ) {
      const page = await waitOut(this.#client, () => this.#page(from, signal), signal);
      yield* page.entries;
      if (!page.more) return page.revision;
      from = page.next;
    }
  }

  /** Ends early if history is compacted faster than it is read; what is stored after the last one goes on from there. */
  async *#storedThenPublished(place: Place, options: FollowOptions): AsyncGenerator<LogEntry, void, undefined> {
    const revision = yield* this.stored(place, options.signal);
    try {
      yield* this.#published(revision + 1, place, options);
    } catch (error) {
      if (!isConclaveError(error, "COMPACTED")) throw error;
    }
  }

  /** Stored messages after a place, oldest first; never a part of those that one transaction published. */
  async #page(place: Place, signal: AbortSignal): Promise<Page> {
    const query = { minCreateRevision: place.position, sortBy: "createRevision", signal } as const;
    for (let limit = pageSize; ; limit *= 2) {
      const { kvs, more, revision } = await this.#client.range(this.#source.range, { ...query, limit });
      const cut = kvs.at(-1)?.createRevision ?? 0;
      const whole = more ? kvs.filter(({ createRevision }) => createRevision < cut) : kvs;
      if (!more || whole.length > 0)
        return { entries: this.#inOrder(whole, place), more, revision, next: { position: cut, tie: "" } };
    }
  }

  async *#published(
    from: number,
    place: Place,
    { signal, bufferMessages }: FollowOptions,
  ): AsyncGenerator<LogEntry, void, undefined> {
    const flow = bufferMessages === undefined ? {} : { bufferEvents: bufferMessages };
    const options = { ...flow, from, only: "put", onCompaction: "error", signal } as const;
    await using watcher = this.#client.watch(this.#source.range, options);
    for await (const { events } of watcher) {
      // A later put on the same key is a correction by hand, not another message.
      const created = events.map(({ kv }) => kv).filter((kv) => kv.createRevision === kv.modRevision);
      yield* this.#inOrder(created, place);
    }
  }

  #inOrder(kvs: readonly KeyValue[], place: Place): readonly LogEntry[] {
    const entries = kvs.flatMap((kv): readonly LogEntry[] => {
      const name = this.#source.parse(kv.keyString);
      return name === undefined ? [] : [{ kv, ...name }];
    });
    return entries.filter((entry) => isAfter(placeOf(entry), place)).sort(byPlace);
  }
}
