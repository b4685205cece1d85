/** @module The transactions of a consumer group. Each is guarded with what the view showed, and teaches it what it found. */
import { equalBytes } from "@conclave/base";
import { type CallOptions, type ClientView, type Compare, compare, type KeyValue, op } from "@conclave/client";
import { decodeStored, encodeStored, type LogEntry } from "../message.ts";
import { formatPlace, placeOf } from "../place.ts";
import type { GroupKeys } from "../topic-keys.ts";
import type { GroupCursor, GroupView } from "./group-view.ts";
import { formatRecord, type Pending, type PendingRecord, pendingKey } from "./pending.ts";

/** What the transactions of a member are about. */
export interface ClaimParts {
  readonly client: ClientView;
  readonly view: GroupView;
  readonly keys: GroupKeys;
  /** What the keys of the topic's messages start with. */
  readonly messages: string;
  /** The topic. */
  readonly topic: string;
  /** The group. */
  readonly group: string;
  /** The member. */
  readonly member: string;
  /** How long the others leave alone what it has. */
  readonly visibilityMs: number;
}

/** A message that this member has. */
export interface Claim {
  /** The key of its record. */
  readonly key: string;
  /** The message. */
  readonly entry: LogEntry;
  /** How often it was handed out, this time included. */
  readonly deliveries: number;
  /** The revision of the record. */
  readonly modRevision: number;
}

/** How the settling of a claim went. */
export type Settlement = "settled" | "gone" | "taken";

/** What a refused transaction found in place of what was expected. */
interface Refusal {
  readonly revision: number;
  readonly responses: readonly (KeyValue | undefined)[];
}

/** Claims messages and settles them. Every call may be repeated: what it has done already makes its guard fail. */
export class Claims {
  readonly #parts: ClaimParts;
  readonly #memberKey: string;

  constructor(parts: ClaimParts) {
    this.#parts = parts;
    this.#memberKey = `${parts.keys.members}${parts.member}`;
  }

  /**
   * Takes the first message that was never handed out.
   *
   * @returns undefined if somebody else was faster, or this member is not known to the group
   */
  async claim(entry: LogEntry, cursor: GroupCursor, signal: AbortSignal): Promise<Claim | undefined> {
    const { client, keys, view } = this.#parts;
    const key = pendingKey(keys.pending, { position: entry.kv.createRevision, id: entry.id });
    const place = placeOf(entry);
    const result = await client
      .txn()
      .if(compare.modRevision(keys.cursor).equal(cursor.modRevision), this.#isMember())
      .then(op.put(keys.cursor, formatPlace(place)), op.put(key, formatRecord(this.#record(1))))
      .else(op.get(keys.cursor), op.get(this.#memberKey), op.get(key))
      .commit({ signal, idempotent: true });
    if (!result.succeeded) {
      this.#learn([keys.cursor, this.#memberKey, key], result);
      const modRevision = this.#earlierTry(result.responses[2], 1);
      return modRevision === undefined ? undefined : { key, entry, deliveries: 1, modRevision };
    }
    view.moveTo({ place, modRevision: result.revision });
    return { key, entry, deliveries: 1, modRevision: result.revision };
  }

  /**
   * Takes a message that was handed out before.
   *
   * @param pending - its record, as the view shows it
   * @param deliveries - how often it was handed out, this time included
   * @returns undefined if somebody else was faster, or the message was deleted from the topic
   */
  async retake(pending: Pending, deliveries: number, signal: AbortSignal): Promise<Claim | undefined> {
    const { key } = pending;
    const result = await this.#parts.client
      .txn()
      .if(isUnchanged(pending), this.#isMember(), ...this.#isGone(pending.owner))
      .then(op.put(key, formatRecord(this.#record(deliveries))), op.get(this.#messageKey(pending)))
      .else(op.get(key), op.get(this.#memberKey), op.get(this.#messageKey(pending)))
      .commit({ signal, idempotent: true });
    if (!result.succeeded) this.#learn([key, this.#memberKey], result);
    const modRevision = result.succeeded ? result.revision : this.#earlierTry(result.responses[0], deliveries);
    if (modRevision === undefined) return undefined;
    const entry = this.#entryOf(pending, result.responses[result.succeeded ? 1 : 2]);
    const claim = { key, deliveries, modRevision };
    if (entry !== undefined) return { ...claim, entry };
    await this.settle(claim, { signal });
    return undefined;
  }

  /** Takes a message out of the group: it is done. */
  async settle(claim: Pick<Claim, "key" | "modRevision">, options: CallOptions): Promise<Settlement> {
    const result = await this.#parts.client
      .txn()
      .if(isUnchanged(claim))
      .then(op.delete(claim.key))
      .else(op.get(claim.key))
      .commit({ ...options, idempotent: false });
    if (result.succeeded) {
      this.#parts.view.forget(claim.key, result.revision);
      return "settled";
    }
    this.#learn([claim.key], result);
    return result.responses[0] === undefined ? "gone" : "taken";
  }

  /** Writes the record anew. @returns its revision; undefined if this member does not have the message any more */
  async renew(claim: Claim, record: Partial<PendingRecord>, options: CallOptions): Promise<number | undefined> {
    const { key, entry } = claim;
    const next = { ...this.#record(claim.deliveries), ...record };
    const value = formatRecord(next);
    const result = await this.#parts.client
      .txn()
      .if(isUnchanged(claim))
      .then(op.put(claim.key, value))
      .else(op.get(claim.key))
      .commit({ ...options, idempotent: true });
    if (result.succeeded) {
      const place = { position: entry.kv.createRevision, id: entry.id };
      this.#parts.view.learnPending({ key, ...place, ...next, modRevision: result.revision });
      return result.revision;
    }
    const [found] = result.responses;
    this.#learn([key], result);
    // An earlier try of this very call wrote it: of all members only this one writes its own name, or gives back what was
    // handed to it for the time that the record counts.
    return found?.valueString === value ? found.modRevision : undefined;
  }

  /**
   * Moves a message out of the group and into another topic, in one step.
   *
   * @param target - what the keys of the other topic's messages start with
   * @returns whether this call moved it
   */
  async bury(pending: Pending, target: string, signal: AbortSignal): Promise<boolean> {
    const { client, topic, group } = this.#parts;
    const found = await client.get(this.#messageKey(pending), { signal });
    const entry = this.#entryOf(pending, found);
    if (entry === undefined) {
      await this.settle(pending, { signal });
      return false;
    }
    const stored = decodeStored(entry.kv.keyString, entry.kv.value);
    const headers = {
      ...stored.headers,
      "dead-letter-topic": topic,
      "dead-letter-group": group,
      "dead-letter-id": pending.id,
      "dead-letter-deliveries": String(pending.deliveries),
    };
    const value = encodeStored({ ...stored, headers, publishedAtMs: client.ports.clock.wallMs() });
    const letter = `${target}${topic}.${group}.${pending.position}.${pending.id}`;
    const result = await client
      .txn()
      .if(isUnchanged(pending))
      .then(op.delete(pending.key), op.put(letter, value))
      .else(op.get(pending.key), op.get(letter))
      .commit({ signal, idempotent: true });
    if (result.succeeded) {
      this.#parts.view.forget(pending.key, result.revision);
      return true;
    }
    this.#learn([pending.key], result);
    // An earlier try, whose answer was lost, moved it: others write another time.
    const [, moved] = result.responses;
    return moved !== undefined && equalBytes(moved.value, value);
  }

  #record(deliveries: number): PendingRecord {
    return { owner: this.#parts.member, deliveries, waitMs: this.#parts.visibilityMs };
  }

  /** The revision of a record that an earlier try of the same call wrote: who claims another time counts one more. */
  #earlierTry(found: KeyValue | undefined, deliveries: number): number | undefined {
    return found?.valueString === formatRecord(this.#record(deliveries)) ? found.modRevision : undefined;
  }

  #isMember(): Compare {
    return compare.createRevision(this.#memberKey).greater(0);
  }

  /** A member that seems to be gone must be. */
  #isGone(owner: string): readonly Compare[] {
    const { keys, view } = this.#parts;
    if (owner === "" || view.hasMember(owner)) return [];
    return [compare.createRevision(`${keys.members}${owner}`).equal(0)];
  }

  #messageKey({ id }: Pending): string {
    return `${this.#parts.messages}${id}`;
  }

  /** Undefined if the message was deleted, though another one may have been published under its id. */
  #entryOf({ id, position }: Pending, kv: KeyValue | undefined): LogEntry | undefined {
    return kv?.createRevision === position ? { kv, topic: this.#parts.topic, id } : undefined;
  }

  #learn(keys: readonly string[], { revision, responses }: Refusal): void {
    for (const [at, key] of keys.entries()) {
      const kv = responses[at];
      if (kv === undefined) this.#parts.view.forget(key, revision);
      else this.#parts.view.learn(kv);
    }
  }
}

function isUnchanged({ key, modRevision }: Pick<Claim, "key" | "modRevision">): Compare {
  return compare.modRevision(key).equal(modRevision);
}
