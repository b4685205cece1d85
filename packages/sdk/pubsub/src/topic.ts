import { hex } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  type Codec,
  type Compare,
  ConclaveError,
  compare,
  jsonCodec,
  type Op,
  type OpResult,
  op,
  type PutResult,
  type RangeResult,
  requestsWithin,
  type Txn,
} from "@conclave/client";
import { z } from "zod";
import { DelayedMover, delayedKey } from "./delayed.ts";
import { followWhile } from "./follow.ts";
import { type ConsumerGroup, createGroup, type GroupOptions } from "./group/group.ts";
import { type Delivery, encodeStored, type Headers, toDelivery } from "./message.ts";
import { MessageLog } from "./message-log.ts";
import { CollectionPace, Collector, type Retention, retentionSchema } from "./retention.ts";
import { placeOfStart, type Start, startSchema } from "./start.ts";
import { createSubscription, type Subscription } from "./subscription.ts";
import { check, groupKeys, segment, type TopicKeys, topicKeys, topicName, topicSource } from "./topic-keys.ts";

/** How a topic is made. */
export interface TopicOptions<Message> {
  /** How messages become bytes; default: JSON, unchecked. */
  readonly codec?: Codec<Message>;
  /** What all keys start with; default `topics/`. */
  readonly prefix?: string;
  /** What the topic keeps, as this publisher enforces it. All publishers should say the same. Default: everything. */
  readonly retention?: Retention;
}

/** What is said of a message beside its content. */
export interface MessageOptions {
  /**
   * The id of the message, unique in the topic: up to 512 characters other than `/` and white space. Publishing an id again
   * publishes nothing as long as the topic keeps the message, so a publisher that does not know whether it succeeded can
   * try again. Default: random.
   */
  readonly id?: string;
  /** What subscribers are told beside the message. Default: nothing. */
  readonly headers?: Headers;
}

/** How to publish. */
export interface PublishOptions extends MessageOptions, CallOptions {
  /** Conditions without which nothing is published, such as the `guard` of a lock. Default: none. */
  readonly guards?: readonly Compare[];
}

/** When to publish. */
export interface DelayOptions extends MessageOptions, CallOptions {
  /** When the message is due, by the wall clock of whoever moves it. */
  readonly dueAt: Date;
}

/** A message that was published. */
export interface Published {
  /** Its id. */
  readonly id: string;
  /** Its position. */
  readonly position: number;
  /**
   * Whether the topic had a message of this id: the position is of that one, and this one was not published. For an id that
   * the caller chose it is also true if this very call published it, but its answer was lost and it was made again.
   */
  readonly isDuplicate: boolean;
}

/** A message that will be published. */
export interface Scheduled {
  /** Its id. */
  readonly id: string;
  /** When it is due. */
  readonly dueAt: Date;
}

/** Where a subscriber starts. */
export interface SubscribeOptions {
  /** Where to start; default `"now"`. */
  readonly from?: Start;
  /**
   * Messages that wait for a slow reader, from 1; then the member is asked for no more until half of them are read. Nothing
   * is lost: what was compacted meanwhile is listed. Default: 8 192.
   */
  readonly bufferMessages?: number;
  /** Ends the subscription. Default: none. */
  readonly signal?: AbortSignal;
}

/** A durable, totally ordered sequence of messages. */
export interface Topic<Message> {
  /** Its name. */
  readonly name: string;
  /**
   * Publishes a message. When it resolves, a quorum has it on disk.
   *
   * @returns its id and position; for an id that the topic has, those of the first time
   * @throws ConclaveError `OWNERSHIP_LOST` if a guard does not hold; nothing was published
   */
  publish(message: Message, options?: PublishOptions): Promise<Published>;
  /**
   * Publishes a message later. It is on a quorum's disks at once, and becomes a message of the topic when it is due and
   * somebody subscribes to the topic, consumes it as a group, or calls {@link Topic.moveDue}.
   */
  publishLater(message: Message, options: DelayOptions): Promise<Scheduled>;
  /**
   * An operation that publishes a message, for a transaction with other writes, or one that a lock guards: all of it
   * happens, or nothing.
   */
  op(message: Message, options?: MessageOptions): Op<Published>;
  /**
   * Messages in order: replayed from where the subscriber starts, then live, without a gap or a repetition. Outages are
   * waited out; what was deleted before it was read is not told.
   *
   * @throws ConclaveError `DATA_LOSS` for a message that cannot be decoded
   */
  subscribe(options?: SubscribeOptions): AsyncGenerator<Delivery<Message>, void, undefined>;
  /** A subscriber by name that remembers how far it came. */
  subscription(name: string): Subscription<Message>;
  /** Consumers that share the messages. */
  group(name: string, options?: GroupOptions): ConsumerGroup<Message>;
  /**
   * Deletes the oldest messages, whether or not anybody has read them.
   *
   * @returns how many were deleted
   */
  trim(options: CallOptions & { /** Messages to keep: the newest ones. */ readonly keep: number }): Promise<number>;
  /**
   * Deletes what breaks the topic's retention, at most 1 000 messages. Publishers do it by themselves.
   *
   * @returns how many were deleted
   */
  collect(options?: CallOptions): Promise<number>;
  /** Publishes the delayed messages that are due. Subscribers do it by themselves. @returns how many were published */
  moveDue(options?: { readonly signal?: AbortSignal }): Promise<number>;
}

const keep = z.number().int().min(0);
const optionsSchema = z.strictObject({
  codec: z.looseObject({}).optional(),
  prefix: z.string().optional(),
  retention: retentionSchema.optional(),
});
const headersSchema = z.record(z.string(), z.string());
const subscribeSchema = z.object({
  from: startSchema.optional(),
  bufferMessages: z.number().int().min(1).optional(),
});
const idBytes = 12;

/**
 * Makes a topic. Everything of it is kept under `<prefix><name>/`; its name may have dots, for subscriptions by pattern.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createTopic<Message>(
  client: ClientView,
  name: string,
  options: TopicOptions<Message> = {},
): Topic<Message> {
  check(topicName, name, "name of a topic");
  check(optionsSchema, options, "options of a topic");
  return new KeyedTopic(client, name, options);
}

/** Puts a message, or finds the one that has its id. */
type PublishTxn = Txn<readonly [Op<PutResult>], readonly [Op<RangeResult>]>;

function publishedOf(id: string, result: OpResult<PublishTxn>): Published {
  if (result.succeeded) return { id, position: result.revision, isDuplicate: false };
  const [{ kvs }] = result.responses;
  return { id, position: kvs[0]?.createRevision ?? result.revision, isDuplicate: true };
}

class KeyedTopic<Message> implements Topic<Message> {
  readonly name: string;
  readonly #client: ClientView;
  readonly #prefix: string | undefined;
  readonly #keys: TopicKeys;
  readonly #codec: Codec<Message>;
  readonly #log: MessageLog;
  readonly #retention: Retention;
  readonly #collector: Collector;
  readonly #pace: CollectionPace;
  readonly #mover: DelayedMover;

  constructor(client: ClientView, name: string, { prefix, codec, retention = {} }: TopicOptions<Message>) {
    this.name = name;
    this.#client = client;
    this.#prefix = prefix;
    this.#keys = topicKeys(name, prefix);
    this.#codec = codec ?? jsonCodec<Message>();
    this.#log = new MessageLog(client, topicSource(name, this.#keys));
    this.#retention = retention;
    this.#collector = new Collector(client, this.#keys.messages);
    this.#pace = new CollectionPace(client.ports, retention);
    this.#mover = new DelayedMover(client, this.#keys);
  }

  async publish(message: Message, options: PublishOptions = {}): Promise<Published> {
    const { id = this.#newId(), headers, guards = [], ...call } = options;
    const value = this.#encode(message, { headers });
    const request = requestsWithin(this.#client, call);
    const result = await this.#client
      .txn()
      .if(...guards)
      .then(this.#publishOp(id, value))
      .commit({ ...request(), idempotent: true });
    if (!result.succeeded)
      throw new ConclaveError("OWNERSHIP_LOST", `A guard does not hold: nothing was published to "${this.name}"`);
    if (this.#pace.published(value.length)) await this.#collectQuietly(request());
    const [published] = result.responses;
    // Nobody else has an id that was drawn here: what has it was published by an earlier try, whose answer was lost.
    return options.id === undefined ? { ...published, isDuplicate: false } : published;
  }

  async publishLater(message: Message, options: DelayOptions): Promise<Scheduled> {
    const { id = this.#newId(), headers, dueAt, ...call } = options;
    check(z.date(), dueAt, "time at which a message is due");
    const key = delayedKey(this.#keys, check(segment, id, "id of a message"), dueAt.getTime());
    const value = this.#encode(message, { headers, publishedAtMs: dueAt.getTime() });
    await this.#client
      .txn()
      .if(compare.createRevision(key).equal(0), compare.createRevision(this.#keyOf(id)).equal(0))
      .then(op.put(key, value))
      .commit({ ...call, idempotent: true });
    return { id, dueAt };
  }

  op(message: Message, { id = this.#newId(), headers }: MessageOptions = {}): Op<Published> {
    return this.#publishOp(id, this.#encode(message, { headers }));
  }

  subscribe({
    from = "now",
    bufferMessages,
    signal,
  }: SubscribeOptions = {}): AsyncGenerator<Delivery<Message>, void, undefined> {
    check(subscribeSchema, { from, bufferMessages }, "options of a subscription");
    // Asked for at once: what is published before the first message is taken counts too.
    const place = placeOfStart(this.#log, from, signal ?? new AbortController().signal);
    place.catch(() => {}); // Whoever iterates hears of it.
    const [log, codec] = [this.#log, this.#codec];
    return followWhile(signal, this.#moveDelayed, async function* (over) {
      for await (const entry of log.after(await place, { signal: over, bufferMessages }))
        yield toDelivery(entry, codec);
    });
  }

  subscription(name: string): Subscription<Message> {
    const key = `${this.#keys.subscriptions}${check(segment, name, "name of a subscription")}`;
    const [log, codec, mover] = [this.#log, this.#codec, this.#moveDelayed];
    return createSubscription(this.#client, { name, key, log, codec, mover });
  }

  group(name: string, options: GroupOptions = {}): ConsumerGroup<Message> {
    const [client, log, codec, mover] = [this.#client, this.#log, this.#codec, this.#moveDelayed];
    return createGroup(
      {
        ...{ client, log, codec, mover, name, topic: this.name },
        keys: groupKeys(this.#keys.groups, check(segment, name, "name of a consumer group")),
        messagesOf: (topic) => topicKeys(topic, this.#prefix).messages,
        placeOf: (from, signal) => placeOfStart(log, from, signal ?? new AbortController().signal),
      },
      options,
    );
  }

  async trim({ keep: maxMessages, ...options }: CallOptions & { readonly keep: number }): Promise<number> {
    check(keep, maxMessages, "number of messages to keep");
    const request = requestsWithin(this.#client, options);
    for (let deleted = 0; ; ) {
      const more = await this.#collector.collect({ maxMessages }, request());
      deleted += more;
      if (more === 0) return deleted;
    }
  }

  collect(options: CallOptions = {}): Promise<number> {
    return this.#collector.collect(this.#retention, options);
  }

  moveDue({ signal }: { readonly signal?: AbortSignal } = {}): Promise<number> {
    return this.#mover.moveDue(signal ?? new AbortController().signal);
  }

  readonly #moveDelayed = (signal: AbortSignal): Promise<void> => this.#mover.run(signal);

  /** What breaks the bounds now breaks them at the next message too: a failure costs nothing but time. */
  async #collectQuietly(options: CallOptions): Promise<void> {
    await this.#collector.collect(this.#retention, options).catch(() => {});
  }

  #encode(
    message: Message,
    { headers = {}, publishedAtMs }: { readonly headers?: Headers | undefined; readonly publishedAtMs?: number },
  ): Uint8Array {
    check(headersSchema, headers, "headers of a message");
    const payload = this.#codec.encode(message);
    return encodeStored({ publishedAtMs: publishedAtMs ?? this.#client.ports.clock.wallMs(), headers, payload });
  }

  /** Puts the message if its id is new. Guarded by itself, so that it may be repeated, alone or among others. */
  #publishOp(id: string, value: Uint8Array): Op<Published> {
    const key = this.#keyOf(check(segment, id, "id of a message"));
    const put = this.#client
      .txn()
      .if(compare.createRevision(key).equal(0))
      .then(op.put(key, value))
      .else(op.range(key, { keysOnly: true }));
    return {
      ...{ readOnly: false, encode: (space) => put.encode(space) },
      decode: (response, space, header) => publishedOf(id, put.decode(response, space, header)),
    };
  }

  #keyOf(id: string): string {
    return `${this.#keys.messages}${id}`;
  }

  #newId(): string {
    return hex(this.#client.ports.random.bytes(idBytes));
  }
}
