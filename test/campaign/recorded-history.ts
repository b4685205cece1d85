/** @module What a member has told a watcher: every change since it was founded, by revision, and what follows from it. */
import { allKeys, type ClientView, type KeyValue, type WatchEvent, type Watcher } from "@conclave/client";

/** Acknowledged, and not there any more. */
export class LostWrite extends Error {
  override readonly name = "LostWrite";
}

/** Every change of a member, recorded as it happens, across restarts and compactions. */
export class RecordedHistory implements AsyncDisposable {
  /** The changes of each revision. */
  readonly revisions = new Map<number, readonly WatchEvent[]>();
  /** The live keys that follow from them. */
  readonly live = new Map<string, KeyValue>();
  readonly #watcher: Watcher;
  readonly #recorded: Promise<void>;
  #last = 1;
  #waiters: { readonly revision: number; readonly resolve: () => void }[] = [];

  constructor(client: ClientView) {
    this.#watcher = client.watch(allKeys(), { from: 2, onCompaction: "error" });
    this.#recorded = this.#record();
  }

  /** The last revision that was recorded. */
  get last(): number {
    return this.#last;
  }

  /**
   * Resolves when everything up to a revision is recorded. A member that has gone back behind what it has told fails.
   *
   * @throws LostWrite if `revision`, which is the member's, is below what was recorded
   */
  async upTo(revision: number): Promise<void> {
    if (revision < this.#last) throw new LostWrite(`the member is at revision ${revision} and has told ${this.#last}`);
    if (revision === this.#last) return;
    const reached = new Promise<void>((resolve) => this.#waiters.push({ revision, resolve }));
    await Promise.race([reached, this.#recorded.then(() => Promise.reject(new Error("the watch has ended")))]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher.close();
    await this.#recorded.catch(() => {}); // Whoever waited for a revision was told.
  }

  async #record(): Promise<void> {
    for await (const { revision, events } of this.#watcher) {
      this.revisions.set(revision, events);
      for (const { type, kv } of events) {
        if (type === "put") this.live.set(kv.keyString, kv);
        else this.live.delete(kv.keyString);
      }
      this.#last = revision;
      this.#waiters = this.#waiters.filter((waiter) => {
        if (waiter.revision <= revision) waiter.resolve();
        return waiter.revision > revision;
      });
    }
  }
}
