import {
  type CallOptions,
  type ClientView,
  type Codec,
  type ConclaveError,
  compare,
  type EventSource,
  IsolatedEmitter,
  isConclaveError,
  LinkedSignal,
  op,
  type Session,
  type SharedSession,
} from "@conclave/client";
import { z } from "zod";
import type { Background } from "../follow.ts";
import { toDelivery } from "../message.ts";
import type { MessageLog } from "../message-log.ts";
import { waitOut } from "../outage.ts";
import { check, type GroupKeys } from "../topic-keys.ts";
import { Claimer } from "./claimer.ts";
import { type Claim, Claims } from "./claims.ts";
import { ClaimedMessage, type GroupDelivery } from "./group-delivery.ts";
import { GroupView } from "./group-view.ts";
import type { Pending } from "./pending.ts";

/** What happened to a message that was given up. */
export interface DeadLetter {
  /** Its id. */
  readonly id: string;
  /** Its position in the topic. */
  readonly position: number;
  /** How often it was handed out. */
  readonly deliveries: number;
}

/** The events of a member. */
export type GroupMemberEvents<Message> = {
  /** A message was handed to this member. */
  delivery: [delivery: GroupDelivery<Message>];
  /** This member moved a message to the dead letters. */
  deadLetter: [letter: DeadLetter];
  /** A handler of `process` failed; the message was given back. */
  failed: [error: unknown, delivery: GroupDelivery<Message>];
  /** The lease is gone, and with it what this member had in hand; it asks for a new one. */
  lost: [error: ConclaveError];
};

/** How `process` works. */
export interface ProcessOptions {
  /** Messages processed at once, from 1; at most `maxInFlight` are in hand. Default: 1. */
  readonly concurrency?: number | undefined;
  /** How long a message whose handler failed is left alone, in milliseconds. Default: 1 000. */
  readonly retryDelayMs?: number | undefined;
  /** Takes no further message and resolves when the handlers have returned. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** A member of a consumer group. `await using` leaves at the end of the scope. */
export interface GroupMember<Message> extends EventSource<GroupMemberEvents<Message>>, AsyncDisposable {
  /** Its id, unique. */
  readonly id: string;
  /** How many messages it has in hand. */
  readonly inFlight: number;
  /**
   * Messages for this member: those that are due again first, then those that were never handed out, each oldest first.
   * May be iterated several times at once: each message comes in one of the iterations. Outages are waited out. Ends when
   * the signal aborts or the member leaves.
   *
   * @throws ConclaveError `DATA_LOSS` for a message that cannot be decoded, if there are no dead letters; `NOT_FOUND` if
   * the group was removed
   */
  messages(options?: { readonly signal?: AbortSignal }): AsyncGenerator<GroupDelivery<Message>, void, undefined>;
  /**
   * Calls a handler for each message; acknowledges it when the handler returns, gives it back when it throws.
   *
   * @throws ConclaveError as `messages`, once the handlers that run have returned; `INVALID_ARGUMENT`
   */
  process(handler: (delivery: GroupDelivery<Message>) => unknown, options?: ProcessOptions): Promise<void>;
  /** Leaves the group; what it has in hand goes to the others at once. */
  leave(options?: CallOptions): Promise<void>;
}

/** What a member is made of. */
export interface MemberParts<Message> {
  readonly client: ClientView;
  readonly topic: string;
  readonly group: string;
  readonly id: string;
  readonly keys: GroupKeys;
  /** What the keys of the topic's messages start with. */
  readonly messages: string;
  readonly log: MessageLog;
  readonly codec: Codec<Message>;
  readonly session: SharedSession;
  readonly mover: Background;
  readonly visibilityMs: number;
  readonly maxInFlight: number;
  /** After how many deliveries a message goes to which keys; undefined for never. */
  readonly deadLetter: { readonly maxDeliveries: number; readonly target: string } | undefined;
}

const processSchema = z.strictObject({
  concurrency: z.number().int().min(1).optional(),
  retryDelayMs: z.number().min(0).optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

/** A member that shares a group's work by what the store shows and nothing else. */
export class LeasedMember<Message> implements GroupMember<Message> {
  readonly id: string;
  readonly #parts: MemberParts<Message>;
  readonly #claims: Claims;
  readonly #claimer: Claimer;
  readonly #leaving = new AbortController();
  readonly #events: IsolatedEmitter<GroupMemberEvents<Message>>;
  readonly #unlisten: (() => void)[] = [];
  #work: Promise<unknown> = Promise.resolve();

  constructor(parts: MemberParts<Message>) {
    this.id = parts.id;
    this.#parts = parts;
    const view = new GroupView(parts.keys, parts.client.ports.clock);
    this.#claims = new Claims({ ...parts, view, member: parts.id });
    this.#claimer = new Claimer({
      ...{ ...parts, view, claims: this.#claims, member: parts.id },
      maxDeliveries: parts.deadLetter?.maxDeliveries ?? Number.POSITIVE_INFINITY,
      onExhausted: (pending, signal) => this.#bury(pending, signal),
    });
    this.#events = new IsolatedEmitter((error) => process.emitWarning(error));
  }

  get inFlight(): number {
    return this.#claimer.inHand.size;
  }

  on: EventSource<GroupMemberEvents<Message>>["on"] = (name, handler) => this.#events.on(name, handler);
  once: EventSource<GroupMemberEvents<Message>>["once"] = (name, handler) => this.#events.once(name, handler);

  /** Enters the group. @throws ConclaveError if that cannot be done in time */
  async enter(options: CallOptions): Promise<void> {
    const { session, mover } = this.#parts;
    await this.#register(await session.ready(options), options);
    this.#unlisten.push(
      session.on("session", (next) => this.#registerAgain(next)),
      session.on("lost", (error) => this.#events.emit("lost", error)),
    );
    const { signal } = this.#leaving;
    this.#work = Promise.allSettled([this.#claimer.run(signal), mover(signal)]);
  }

  async *messages(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<GroupDelivery<Message>, void, undefined> {
    using either = new LinkedSignal(this.#leaving.signal, options.signal);
    const { signal } = either;
    for (;;) {
      const claim = await this.#claimer.next(signal);
      if (claim === undefined) return;
      const delivery = await this.#toDelivery(claim, signal);
      if (delivery === undefined) continue;
      this.#events.emit("delivery", delivery);
      yield delivery;
    }
  }

  async process(handler: (delivery: GroupDelivery<Message>) => unknown, options: ProcessOptions = {}): Promise<void> {
    const { concurrency = 1, retryDelayMs = 1_000, signal } = check(processSchema, options, "options of processing");
    using over = new LinkedSignal(signal);
    const work = async (): Promise<void> => {
      try {
        for await (const delivery of this.messages({ signal: over.signal }))
          await this.#handle(delivery, handler, retryDelayMs);
      } catch (error) {
        over.abort();
        throw error;
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: concurrency }, work));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async leave(options: CallOptions = {}): Promise<void> {
    if (this.#leaving.signal.aborted) return;
    this.#leaving.abort();
    for (const unlisten of this.#unlisten) unlisten();
    await this.#work;
    const { client, session } = this.#parts;
    try {
      await client.delete(this.#key, { ...options, idempotent: true });
    } finally {
      await session.close(options);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  get #key(): string {
    return `${this.#parts.keys.members}${this.id}`;
  }

  async #register({ lease }: Session, options: CallOptions): Promise<void> {
    // Not again if it is there, as after a lost answer; over a key on a lease that is lost it is.
    await this.#parts.client
      .txn()
      .if(compare.lease(this.#key).notEqual(lease))
      .then(op.put(this.#key, "", { lease }))
      .commit({ ...options, idempotent: true });
  }

  async #registerAgain(session: Session): Promise<void> {
    using either = new LinkedSignal(this.#leaving.signal, session.signal);
    const { signal } = either;
    try {
      await waitOut(this.#parts.client, () => this.#register(session, { signal }), signal);
    } catch (error) {
      // The next session does it, or nobody needs to.
      if (!session.signal.aborted && !signal.aborted) throw error;
    }
  }

  async #toDelivery(claim: Claim, signal: AbortSignal): Promise<GroupDelivery<Message> | undefined> {
    try {
      const hand = { revisions: this.#claimer.inHand, onChange: () => this.#claimer.wake() };
      const claimed = new ClaimedMessage(this.#claims, hand, claim);
      return {
        ...toDelivery(claim.entry, this.#parts.codec),
        deliveries: claim.deliveries,
        ack: (options) => claimed.ack(options),
        nack: (options) => claimed.nack(options),
        extend: (options) => claimed.extend(options),
      };
    } catch (error) {
      if (!isConclaveError(error, "DATA_LOSS") || this.#parts.deadLetter === undefined) throw error;
      await this.#buryUnread(claim, signal);
      return undefined;
    }
  }

  async #buryUnread({ key, modRevision, deliveries, entry }: Claim, signal: AbortSignal): Promise<void> {
    const record = { owner: this.id, deliveries, waitMs: this.#parts.visibilityMs };
    const pending = { key, modRevision, ...record, position: entry.kv.createRevision, id: entry.id };
    await waitOut(this.#parts.client, () => this.#bury(pending, signal), signal).finally(() => {
      this.#claimer.inHand.delete(key);
    });
  }

  async #bury(pending: Pending, signal: AbortSignal): Promise<void> {
    const { deadLetter } = this.#parts;
    if (deadLetter === undefined || !(await this.#claims.bury(pending, deadLetter.target, signal))) return;
    const { id, position, deliveries } = pending;
    this.#events.emit("deadLetter", { id, position, deliveries });
  }

  async #handle(
    delivery: GroupDelivery<Message>,
    handler: (delivery: GroupDelivery<Message>) => unknown,
    retryDelayMs: number,
  ): Promise<void> {
    try {
      await handler(delivery);
      await delivery.ack();
    } catch (error) {
      this.#events.emit("failed", error, delivery);
      // Another member has it, or takes it when its time is over.
      await delivery.nack({ delayMs: retryDelayMs }).catch(() => {});
    }
  }
}
