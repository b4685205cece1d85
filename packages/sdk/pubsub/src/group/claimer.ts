/** @module How a member of a group comes to its messages: one at a time, when somebody asks for one. */
import { type ClientView, ConclaveError, fullJitterMs, LinkedSignal, prefix, sleep } from "@conclave/client";
import type { LogEntry } from "../message.ts";
import type { MessageLog } from "../message-log.ts";
import { passes } from "../outage.ts";
import { isAfter, placeOf } from "../place.ts";
import type { GroupKeys } from "../topic-keys.ts";
import { Bell } from "./bell.ts";
import type { Claim, Claims } from "./claims.ts";
import type { GroupView } from "./group-view.ts";
import type { Pending } from "./pending.ts";

/** What a claimer is made of. */
export interface ClaimerParts {
  readonly client: ClientView;
  readonly group: string;
  readonly keys: GroupKeys;
  readonly log: MessageLog;
  readonly view: GroupView;
  readonly claims: Claims;
  readonly member: string;
  readonly maxInFlight: number;
  /** How often a message is handed out at most; `Infinity` for no limit. */
  readonly maxDeliveries: number;
  /** Is given a message that was handed out that often. */
  readonly onExhausted: (pending: Pending, signal: AbortSignal) => Promise<void>;
}

/** Messages that are read ahead. */
const readAhead = 256;
/** How long one who was not the fastest waits at most before it tries again, in milliseconds. */
const rivalMs = 10;
const errorBackoff = { firstMs: 100, maxMs: 2_000 };

/** Hands out what this member may have. */
export class Claimer {
  /** The messages in hand, and the revisions of their records. */
  readonly inHand: Map<string, number> = new Map();
  readonly #parts: ClaimerParts;
  readonly #bell = new Bell();
  readonly #fresh: LogEntry[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #failures = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: ClaimerParts) {
    this.#parts = parts;
  }

  /** Looks again at what may be had. */
  wake(): void {
    this.#bell.ring();
  }

  /** Follows the group and its topic until the signal aborts. Never rejects: whoever waits for a message hears of it. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#bell.ring(), { once: true });
    await Promise.all([this.#watchGroup(signal), this.#readTopic(signal)].map((work) => this.#guard(work, signal)));
  }

  /**
   * The next message for this member; waits for it.
   *
   * @returns undefined when the signal aborts
   */
  async next(signal: AbortSignal): Promise<Claim | undefined> {
    while (!signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const rung = this.#bell.next();
      const got = await this.#inTurn(() => this.#try(signal));
      if (typeof got !== "number") return got;
      await this.#wait(got, rung, signal);
    }
    return undefined;
  }

  async #guard(work: Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!signal.aborted) this.#failure = { error };
      this.#bell.ring();
    }
  }

  async #watchGroup(signal: AbortSignal): Promise<void> {
    const { client, keys, view } = this.#parts;
    await using watcher = client.watch(prefix(keys.root), { from: "snapshot", signal });
    for await (const batch of watcher) {
      view.apply(batch);
      this.#dropWhatIsGone();
      this.#bell.ring();
    }
  }

  /** What others took, or somebody settled, is not in hand any more. */
  #dropWhatIsGone(): void {
    const { view } = this.#parts;
    for (const [key, revision] of this.inHand)
      if (view.revision >= revision && view.pending(key)?.modRevision !== revision) this.inHand.delete(key);
  }

  async #readTopic(signal: AbortSignal): Promise<void> {
    const { view, log } = this.#parts;
    while (view.cursor === undefined && !signal.aborted) await this.#bell.next();
    if (view.cursor === undefined) return;
    for await (const entry of log.after(view.cursor.place, { signal, bufferMessages: readAhead })) {
      this.#fresh.push(entry);
      this.#bell.ring();
      while (this.#fresh.length >= readAhead && !signal.aborted) await this.#bell.next();
    }
  }

  /** One try at a time: what it leads to is known before the next one looks. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** @returns a message, or how long to wait before the next try, in milliseconds */
  async #try(signal: AbortSignal): Promise<Claim | number> {
    try {
      const got = signal.aborted ? Number.POSITIVE_INFINITY : await this.#claimOne(signal);
      this.#failures = 0;
      if (typeof got !== "number") this.inHand.set(got.key, got.modRevision);
      return got;
    } catch (error) {
      if (signal.aborted) return Number.POSITIVE_INFINITY;
      if (!passes(error)) throw error;
      return fullJitterMs(this.#parts.client.ports.random, errorBackoff, ++this.#failures);
    }
  }

  async #claimOne(signal: AbortSignal): Promise<Claim | number> {
    const { view, claims, client, maxInFlight } = this.#parts;
    const isFull = this.inHand.size >= maxInFlight;
    const { due, leftMs } = this.#oldestDue(isFull);
    const soon = client.ports.random.fraction() * rivalMs;
    if (due !== undefined) return (await this.#retake(due, signal)) ?? soon;
    const { cursor } = view;
    if (cursor === undefined) return this.#withoutCursor();
    const entry = isFull ? undefined : this.#firstFresh();
    if (entry === undefined) return leftMs;
    return (await claims.claim(entry, cursor, signal)) ?? soon;
  }

  #withoutCursor(): number {
    const { view, group } = this.#parts;
    if (view.revision > 0) throw new ConclaveError("NOT_FOUND", `The group "${group}" was removed`);
    return Number.POSITIVE_INFINITY;
  }

  async #retake(pending: Pending, signal: AbortSignal): Promise<Claim | undefined> {
    const { claims, member, maxDeliveries, onExhausted } = this.#parts;
    // One that is this member's and not in its hand was claimed by a call whose answer was lost: nobody has seen it.
    const isUnseen = pending.owner === member && !this.inHand.has(pending.key);
    const deliveries = pending.deliveries + (isUnseen ? 0 : 1);
    if (deliveries <= maxDeliveries) return await claims.retake(pending, deliveries, signal);
    await onExhausted(pending, signal);
    return undefined;
  }

  /**
   * The oldest message that was handed out and is due again.
   *
   * @param onlyInHand - whether there is no room for more than there is in hand
   */
  #oldestDue(onlyInHand: boolean): { readonly due: Pending | undefined; readonly leftMs: number } {
    let due: Pending | undefined;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [pending, waitMs] of this.#parts.view.waits()) {
      const revision = this.inHand.get(pending.key);
      if (revision === undefined ? onlyInHand : revision !== pending.modRevision) continue;
      const leftMs = revision === undefined && pending.owner === this.#parts.member ? 0 : waitMs;
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else if (due === undefined || pending.key < due.key) due = pending;
    }
    return { due, leftMs: nextMs };
  }

  /** The first message that was never handed out; it stays where it is until the group is known to be behind it. */
  #firstFresh(): LogEntry | undefined {
    const { cursor } = this.#parts.view;
    for (;;) {
      const [entry] = this.#fresh;
      if (entry === undefined || cursor === undefined || isAfter(placeOf(entry), cursor.place)) return entry;
      this.#fresh.shift();
      if (this.#fresh.length === readAhead - 1) this.#bell.ring();
    }
  }

  async #wait(waitMs: number, rung: Promise<void>, signal: AbortSignal): Promise<void> {
    using over = new LinkedSignal(signal);
    const waits = [rung, untilAborted(over.signal)];
    if (waitMs !== Number.POSITIVE_INFINITY)
      waits.push(sleep(this.#parts.client.ports.scheduler, waitMs, over.signal).then(() => {}));
    await Promise.race(waits);
    over.abort();
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => void signal.addEventListener("abort", () => resolve(), { once: true }));
}
