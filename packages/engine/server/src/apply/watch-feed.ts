import type { Random, Scheduler, Timer } from "@conclave/base";
import { createWatchHub, type MvccStore, type WatchHub, type WatchSink, type WatchStream } from "@conclave/mvcc";
import type { ResponseHeader } from "@conclave/protocol/etcdserverpb";

/** What drives the watch hub. */
export interface WatchFeedOptions {
  readonly store: MvccStore;
  /** The header of a response that names a revision. */
  readonly header: (revision: number) => ResponseHeader;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Time between progress notifications; at random up to a tenth more or less, so that members do not act in step. */
  readonly progressIntervalMs: number;
  /** Encoded size from which on a response is split for watchers that allow it. */
  readonly fragmentBytes: number;
}

/**
 * The watch hub with its motor: commits are published in a turn of their own, so that whoever made them is answered first;
 * watchers that lag behind are moved forward a slice at a time, so that other work of the member goes on between, and told
 * of progress now and then.
 */
export class WatchFeed {
  readonly hub: WatchHub;
  readonly #options: WatchFeedOptions;
  readonly #streams = new Set<WatchStream>();
  #stopped = false;
  #paused = false;
  #isSyncing = false;

  constructor(options: WatchFeedOptions) {
    this.#options = options;
    const { store, header, fragmentBytes } = options;
    this.hub = createWatchHub({ history: store, header, onWork: () => this.#syncLater(), fragmentBytes });
    store.onCommit((revision, events) => this.hub.commit(revision, events));
  }

  /** Opens a stream of watchers. */
  open(sink: WatchSink): WatchStream {
    const stream = this.hub.open(sink);
    this.#streams.add(stream);
    return stream;
  }

  /** Closes a stream. */
  close(stream: WatchStream): void {
    this.#streams.delete(stream);
    stream.close();
  }

  /** Moves no watcher forward until {@link WatchFeed.resume}: the history is being replaced. */
  pause(): void {
    this.#paused = true;
  }

  /** Takes note that the store was reloaded: every watcher is to catch up from the new history. */
  resync(): void {
    this.hub.resync();
  }

  /** Goes on. */
  resume(): void {
    this.#paused = false;
    this.#syncLater();
  }

  /** Starts the progress notifications; the handle ends all of the feed's work. */
  start(): Timer {
    const { scheduler, random, progressIntervalMs } = this.#options;
    let timer: Timer;
    const schedule = (): void => {
      timer = scheduler.after(progressIntervalMs * (0.9 + random.fraction() / 5), notify, { background: true });
    };
    const notify = (): void => {
      if (!this.#paused) for (const stream of this.#streams) stream.notifyProgress();
      schedule();
    };
    schedule();
    return {
      cancel: () => {
        this.#stopped = true;
        timer.cancel();
      },
    };
  }

  #syncLater(): void {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    this.#options.scheduler.atTurnEnd(() => {
      this.#isSyncing = false;
      if (!this.#stopped && !this.#paused && this.hub.syncStep()) this.#syncLater();
    });
  }
}
