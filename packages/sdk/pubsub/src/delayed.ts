/**
 * @module Messages that are published later. They wait under keys that sort by the time they are due. Whoever follows the
 * topic moves what is due into it, each in one transaction, so that it is published once however many move; if nobody does,
 * it waits until somebody comes. The clock that counts is the wall clock of the one who moves.
 */
import { type ClientView, compare, type KeyValue, LinkedSignal, op, prefix, sleep } from "@conclave/client";
import { waitOut } from "./outage.ts";
import { sortable, type TopicKeys } from "./topic-keys.ts";

/** Messages looked at in one round. */
const batch = 32;
/** Longest wait before looking again, as wall clocks are set. */
const lookEveryMs = 60_000;
/** Those who follow a topic do not all move at once. */
const jitterMs = 50;

interface Round {
  /** How many messages were moved by this round, not by others. */
  readonly moved: number;
  /** How long until the next one is due; undefined if none waits. */
  readonly nextMs: number | undefined;
  /** The revision at which it was so. */
  readonly revision: number;
}

/** The key of a delayed message. */
export function delayedKey({ delayed }: TopicKeys, id: string, dueMs: number): string {
  return `${delayed}${sortable(Math.max(0, Math.ceil(dueMs)))}/${id}`;
}

/** Moves the delayed messages of a topic. */
export class DelayedMover {
  readonly #client: ClientView;
  readonly #keys: TopicKeys;

  constructor(client: ClientView, keys: TopicKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** Moves what is due now, oldest first. @returns how many messages were published by this call */
  async moveDue(signal: AbortSignal): Promise<number> {
    for (let moved = 0; ; ) {
      const round = await this.#moveBatch(signal);
      moved += round.moved;
      if (round.nextMs !== 0) return moved;
    }
  }

  /** Moves each message when it is due, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { scheduler, random } = this.#client.ports;
    while (!signal.aborted) {
      const { nextMs, revision } = await waitOut(this.#client, () => this.#moveBatch(signal), signal);
      if (nextMs === 0) continue;
      const dueMs = (nextMs ?? lookEveryMs) + random.fraction() * jitterMs;
      await this.#firstOf(signal, [
        (woken) => sleep(scheduler, Math.min(dueMs, lookEveryMs), woken),
        (woken) => this.#newcomer(revision, woken),
      ]);
    }
  }

  /** Waits for one of several things, and ends the wait for the others. */
  async #firstOf(signal: AbortSignal, waits: readonly ((signal: AbortSignal) => Promise<unknown>)[]): Promise<void> {
    using over = new LinkedSignal(signal);
    const waiting = waits.map((wait) => wait(over.signal));
    try {
      await Promise.race(waiting);
    } finally {
      over.abort();
      await Promise.allSettled(waiting);
    }
  }

  /** Resolves when another delayed message was put, or when that is not to be known. */
  async #newcomer(revision: number, signal: AbortSignal): Promise<void> {
    const options = { from: revision + 1, only: "put", onCompaction: "error", signal } as const;
    await using watcher = this.#client.watch(prefix(this.#keys.delayed), options);
    watcher.once("batch", () => watcher.close());
    await watcher.ended;
  }

  async #moveBatch(signal: AbortSignal): Promise<Round> {
    const { kvs, revision } = await this.#client.range(prefix(this.#keys.delayed), { limit: batch, signal });
    let moved = 0;
    for (const kv of kvs) {
      const { id, dueMs } = this.#parse(kv);
      const leftMs = dueMs - this.#client.ports.clock.wallMs();
      if (leftMs > 0) return { moved, nextMs: leftMs, revision };
      if (await this.#move(kv, id, signal)) moved++;
    }
    return { moved, nextMs: kvs.length < batch ? undefined : 0, revision };
  }

  /** @returns whether this call published it, as far as is known */
  async #move({ key, value, createRevision }: KeyValue, id: string, signal: AbortSignal): Promise<boolean> {
    const target = `${this.#keys.messages}${id}`;
    const publish = this.#client.txn().if(compare.createRevision(target).equal(0)).then(op.put(target, value));
    const result = await this.#client
      .txn()
      .if(compare.createRevision(key).equal(createRevision))
      .then(op.delete(key), publish)
      .commit({ signal, idempotent: true });
    return result.succeeded && result.responses[1].succeeded;
  }

  #parse({ keyString }: KeyValue): { readonly id: string; readonly dueMs: number } {
    const [due = "", id = ""] = keyString.slice(this.#keys.delayed.length).split("/");
    return { id, dueMs: Number(due) };
  }
}
