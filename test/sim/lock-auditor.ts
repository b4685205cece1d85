/** @module Holds the history of a lock's queue to what the lock promises, as an outsider who sees every revision. */
import { type Client, prefix, type WatchEvent } from "@conclave/client";

/** What to audit. */
export interface LockAuditorOptions {
  /** The name of the lock. */
  readonly name: string;
  /** The key that holders write their own key to, guarded by their ownership. */
  readonly fencedKey: string;
  /** Whether only the first in the queue may write. */
  readonly isMutex: boolean;
  /** The shortest time between a holder that was lost and the next one, in milliseconds; default: none. */
  readonly delayMs?: number;
  /** Tells the time that this is held against; default: there is none. */
  readonly nowMs?: () => number;
  /** Is told of everything that must not be. */
  readonly onViolation: (message: string) => void;
}

/** How much later one thing may be observed than another that happened with it, in milliseconds. */
const observationMs = 100;

/** One who left the queue without ever having written under the lock. */
export interface Absconder {
  /** Its key. */
  readonly key: string;
  /** What it said of itself. */
  readonly value: string;
  /** The revision at which its key was deleted. */
  readonly revision: number;
}

/** Follows the store from its beginning. */
export class LockAuditor {
  /** Those whose turn never came, or came to nothing. */
  readonly absconders: Absconder[] = [];
  readonly #options: LockAuditorOptions;
  readonly #end = new AbortController();
  /** The queue: its keys, by the revisions at which they came. */
  readonly #queue = new Map<string, number>();
  /** What those say of themselves who stand in the queue and have not yet written under the lock. */
  readonly #unserved = new Map<string, string>();
  /** The fence of the holder that has left its mark beside the lock; 0 while there is none. */
  #marked = 0;
  /** When the last holder was lost that had its mark there. */
  #lostAtMs = Number.NEGATIVE_INFINITY;
  #cursor = 0;

  constructor(options: LockAuditorOptions) {
    this.#options = options;
  }

  /** The last revision that was audited. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Reads the history until it is told to stop. */
  async follow(client: Client): Promise<void> {
    await using watcher = client.watch(prefix(""), { from: 1, progress: true });
    this.#end.signal.addEventListener("abort", () => watcher.close());
    for await (const { revision, events } of watcher) {
      for (const event of events) this.#take(event);
      this.#cursor = revision;
    }
  }

  /** Ends it. */
  stop(): void {
    this.#end.abort();
  }

  #take({ type, kv }: WatchEvent): void {
    const { name, fencedKey } = this.#options;
    if (kv.keyString === `${name}.held`) this.#marked = type === "put" ? Number(kv.valueString) : 0;
    if (kv.keyString === fencedKey) this.#onGuardedWrite(kv.valueString, kv.modRevision);
    if (!kv.keyString.startsWith(`${name}/`)) return;
    if (type === "delete") this.#onLeft(kv.keyString, kv.modRevision);
    else {
      this.#queue.set(kv.keyString, kv.createRevision);
      this.#unserved.set(kv.keyString, kv.valueString);
    }
  }

  #onLeft(key: string, revision: number): void {
    // Who gives the lock up in order takes its mark away first.
    if (this.#queue.get(key) === this.#marked) this.#lostAtMs = this.#options.nowMs?.() ?? this.#lostAtMs;
    this.#queue.delete(key);
    const value = this.#unserved.get(key);
    if (value !== undefined) this.absconders.push({ key, value, revision });
    this.#unserved.delete(key);
  }

  /** What is written under a lock is written by one who is in the queue, and by its first alone if one at a time may. */
  #onGuardedWrite(writer: string, revision: number): void {
    const { isMutex, onViolation, delayMs = 0, nowMs = () => 0 } = this.#options;
    const sinceMs = nowMs() - this.#lostAtMs;
    if (sinceMs < delayMs - observationMs)
      onViolation(`${writer} writes at revision ${revision}, ${sinceMs} ms after a holder was lost`);
    const [first] = [...this.#queue].toSorted(([, one], [, other]) => one - other);
    this.#unserved.delete(writer);
    const isOwner = isMutex ? first?.[0] === writer : this.#queue.has(writer);
    if (!isOwner) onViolation(`${writer} writes at revision ${revision} while ${first?.[0] ?? "nobody"} owns the lock`);
  }
}
