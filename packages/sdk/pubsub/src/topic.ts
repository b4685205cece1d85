import { hex } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  compare,
  type Op,
  op,
  type PutResult,
  prefix,
} from "@conclave/client";
import { z } from "zod";
import { type Delivery, jsonCodec, type MessageCodec } from "./message.ts";
import { MessageLog } from "./message-log.ts";
import { createSubscription, type Subscription } from "./subscription.ts";

/** How a topic is made. */
export interface TopicOptions<Message> {
  /** How messages become texts; default: JSON, unchecked. */
  readonly codec?: MessageCodec<Message>;
  /** What all keys start with; default `topics/`. */
  readonly prefix?: string;
}

/** How to publish. */
export interface PublishOptions extends CallOptions {
  /**
   * The id of the message, unique in the topic. Publishing an id twice publishes once, so a publisher that does not know
   * whether it succeeded can try again. Default: random.
   */
  readonly id?: string;
}

/** Where a subscriber starts. */
export interface SubscribeOptions {
  /** `now`: what is published from now on; `earliest`: everything stored; a position: what came after it. Default `now`. */
  readonly from?: "now" | "earliest" | number;
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
   * @returns its id and position; for an id that was published before, those of the first time
   */
  publish(message: Message, options?: PublishOptions): Promise<Omit<Delivery<Message>, "message">>;
  /** An operation that publishes a message, for a transaction with other writes: all of it happens, or nothing. */
  publishOp(message: Message, options?: Pick<PublishOptions, "id">): Op<PutResult>;
  /** Messages in order: replayed from where the subscriber starts, then live, without a gap or a repetition. */
  subscribe(options?: SubscribeOptions): AsyncGenerator<Delivery<Message>, void, undefined>;
  /** A subscriber by name that remembers how far it came. */
  subscription(name: string): Subscription<Message>;
  /**
   * Deletes the oldest messages, whether or not anybody has read them.
   *
   * @returns how many were deleted
   */
  trim(options: CallOptions & { /** Messages to keep: the newest ones. */ readonly keep: number }): Promise<number>;
}

const segment = z.string().regex(/^[^/\s]+$/, "must be one or more characters other than / and white space");
const keep = z.number().int().min(0);
/** Messages deleted in one transaction; the protocol's limit is 128. */
const trimBatch = 100;

function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ConclaveError(
    "INVALID_ARGUMENT",
    `Invalid ${what} ${JSON.stringify(value)}: ${result.error.issues[0]?.message}`,
  );
}

/**
 * Makes a topic. Messages are kept under `<prefix><name>/messages/`, positions of subscribers under
 * `<prefix><name>/subscriptions/`.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createTopic<Message>(
  client: ClientView,
  name: string,
  options: TopicOptions<Message> = {},
): Topic<Message> {
  check(segment, name, "name of a topic");
  const root = `${options.prefix ?? "topics/"}${name}/`;
  return new KeyedTopic(client, name, root, options.codec ?? jsonCodec<Message>());
}

class KeyedTopic<Message> implements Topic<Message> {
  readonly name: string;
  readonly #client: ClientView;
  readonly #root: string;
  readonly #codec: MessageCodec<Message>;
  readonly #log: MessageLog<Message>;

  constructor(client: ClientView, name: string, root: string, codec: MessageCodec<Message>) {
    this.name = name;
    this.#client = client;
    this.#root = root;
    this.#codec = codec;
    this.#log = new MessageLog(client, `${root}messages/`, codec);
  }

  async publish(
    message: Message,
    { id = this.#newId(), ...options }: PublishOptions = {},
  ): Promise<Omit<Delivery<Message>, "message">> {
    const put = this.publishOp(message, { id });
    const key = this.#log.keyOf(id);
    const result = await this.#client
      .txn()
      .if(compare.createRevision(key).equal(0))
      .then(put)
      .else(op.get(key))
      .commit({ ...options, idempotent: true });
    if (result.succeeded) return { id, position: result.revision };
    return { id, position: result.responses[0]?.createRevision ?? result.revision };
  }

  publishOp(message: Message, { id = this.#newId() }: Pick<PublishOptions, "id"> = {}): Op<PutResult> {
    return op.put(this.#log.keyOf(check(segment, id, "id of a message")), this.#codec.encode(message));
  }

  subscribe({ from = "now", signal }: SubscribeOptions = {}): AsyncGenerator<Delivery<Message>, void, undefined> {
    // Asked for at once: what is published before the first message is taken counts too.
    const position = from === "now" ? this.#log.now({ signal }) : Promise.resolve(from === "earliest" ? 0 : from);
    position.catch(() => {}); // Whoever iterates hears of it.
    return this.#after(position, signal);
  }

  subscription(name: string): Subscription<Message> {
    const key = `${this.#root}subscriptions/${check(segment, name, "name of a subscription")}`;
    return createSubscription(this.#client, this.#log, { name, key });
  }

  async trim({ keep: kept, ...options }: CallOptions & { readonly keep: number }): Promise<number> {
    check(keep, kept, "number of messages to keep");
    const messages = prefix(this.#log.keyOf(""));
    let deleted = 0;
    for (;;) {
      const oldest = { ...options, sortBy: "createRevision", keysOnly: true, limit: trimBatch } as const;
      const { kvs, count } = await this.#client.range(messages, oldest);
      const surplus = kvs.slice(0, Math.max(0, count - kept));
      if (surplus.length === 0) return deleted;
      await this.#client
        .txn()
        .then(...surplus.map(({ key }) => op.delete(key)))
        .commit({ ...options, idempotent: true });
      deleted += surplus.length;
    }
  }

  async *#after(
    position: Promise<number>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Delivery<Message>, void, undefined> {
    let start: number;
    try {
      start = await position;
    } catch (error) {
      if (signal?.aborted === true) return;
      throw error;
    }
    yield* this.#log.after(start, signal);
  }

  #newId(): string {
    return hex(this.#client.ports.random.bytes(12));
  }
}
