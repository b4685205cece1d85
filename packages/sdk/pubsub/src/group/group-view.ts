import type { Clock } from "@conclave/base";
import type { KeyValue, WatchBatch, WatchEvent } from "@conclave/client";
import { type Place, parsePlace } from "../place.ts";
import type { GroupKeys } from "../topic-keys.ts";
import { type Pending, parsePending } from "./pending.ts";

/** How far a group came. */
export interface GroupCursor {
  /** The place up to which messages were handed out. */
  readonly place: Place;
  /** The revision that moved it there. */
  readonly modRevision: number;
}

interface Seen {
  readonly pending: Pending;
  /** When this member saw the record for the first time, by its monotonic clock. */
  readonly atMs: number;
}

/**
 * What a member knows of its group. It may be behind: whatever it leads to is guarded by the revisions it shows, and what a
 * refused write found is taken in at once.
 */
export class GroupView {
  readonly #keys: GroupKeys;
  readonly #clock: Clock;
  readonly #members = new Set<string>();
  readonly #pending = new Map<string, Seen>();
  /** Keys that are known to be gone, and since when, until the watch has told so too. */
  readonly #gone = new Map<string, number>();
  #cursor: GroupCursor | undefined;
  #revision = 0;

  constructor(keys: GroupKeys, clock: Clock) {
    this.#keys = keys;
    this.#clock = clock;
  }

  /** The revision up to which the watch has told everything; 0 before it has told anything. */
  get revision(): number {
    return this.#revision;
  }

  /** How far the group came; undefined while that is not known. */
  get cursor(): GroupCursor | undefined {
    return this.#cursor;
  }

  /** Whether a member is there. */
  hasMember(id: string): boolean {
    return this.#members.has(id);
  }

  /** The record of a message in hand; undefined if there is none. */
  pending(key: string): Pending | undefined {
    return this.#pending.get(key)?.pending;
  }

  /** Every message in hand that is wanted, and how long it has to be left alone: negative if it need not be. */
  *waits(): Generator<readonly [pending: Pending, leftMs: number], void, undefined> {
    const nowMs = this.#clock.monotonicMs();
    for (const { pending, atMs } of this.#pending.values()) {
      const isLeft = pending.owner !== "" && !this.#members.has(pending.owner);
      yield [pending, isLeft ? Number.NEGATIVE_INFINITY : atMs + pending.waitMs - nowMs];
    }
  }

  /** Takes in what the watch tells. */
  apply(batch: WatchBatch): void {
    this.#revision = batch.revision;
    if (batch.kind === "resync") this.#replace(batch.snapshot);
    else for (const event of batch.events) this.#applyEvent(event, batch.revision);
    for (const [key, revision] of this.#gone) if (revision <= batch.revision) this.#gone.delete(key);
  }

  /** Takes in a key as it was found. */
  learn(kv: KeyValue): void {
    const { keyString: key, modRevision } = kv;
    if (key === this.#keys.cursor) this.moveTo({ place: parsePlace(kv.valueString), modRevision });
    else if (key.startsWith(this.#keys.members)) this.#members.add(key.slice(this.#keys.members.length));
    else if (key.startsWith(this.#keys.pending)) this.learnPending(parsePending(kv, this.#keys.pending));
  }

  /** Takes in that a key was gone at a revision. */
  forget(key: string, revision: number): void {
    if (key === this.#keys.cursor) this.#cursor = undefined;
    else if (key.startsWith(this.#keys.members)) this.#members.delete(key.slice(this.#keys.members.length));
    else if ((this.pending(key)?.modRevision ?? 0) < revision) this.#pending.delete(key);
    if (revision > this.#revision) this.#gone.set(key, revision);
  }

  /** Takes in that the group came further. */
  moveTo(cursor: GroupCursor): void {
    if (cursor.modRevision > (this.#cursor?.modRevision ?? 0)) this.#cursor = cursor;
  }

  /** Takes in the record of a message in hand, if it is newer than what is known. */
  learnPending(pending: Pending): void {
    const known = this.pending(pending.key)?.modRevision ?? this.#gone.get(pending.key) ?? 0;
    if (known >= pending.modRevision) return;
    this.#pending.set(pending.key, { pending, atMs: this.#clock.monotonicMs() });
  }

  #applyEvent({ type, kv }: WatchEvent, revision: number): void {
    if (type === "put") this.learn(kv);
    else this.forget(kv.keyString, revision);
  }

  #replace(snapshot: readonly KeyValue[]): void {
    const there = new Set(snapshot.map(({ keyString }) => keyString));
    for (const key of this.#pending.keys()) if (!there.has(key)) this.#pending.delete(key);
    this.#members.clear();
    if (!there.has(this.#keys.cursor)) this.#cursor = undefined;
    for (const kv of snapshot) this.learn(kv);
  }
}
