/** @module Many topics as one: a single watch brings the messages of every topic whose name matches. */
import { type ClientView, type Codec, jsonCodec } from "@conclave/client";
import { followWhile } from "./follow.ts";
import { type Delivery, toDelivery } from "./message.ts";
import { MessageLog } from "./message-log.ts";
import { placeOfStart } from "./start.ts";
import type { SubscribeOptions } from "./topic.ts";
import { patternSource } from "./topic-keys.ts";

/** How to subscribe to many topics. */
export interface PatternOptions<Message> extends SubscribeOptions {
  /** How messages become bytes, the same in all of them; default: JSON, unchecked. */
  readonly codec?: Codec<Message>;
  /** What the keys of all topics start with; default `topics/`. */
  readonly prefix?: string;
}

const nothing = (): Promise<void> => Promise.resolve();

/**
 * Messages of every topic whose name matches, those made later included, in one order: by position, then by topic and id.
 * Otherwise as {@link Topic.subscribe}; but delayed messages are not moved by this subscriber.
 *
 * @param pattern - words between dots: `*` stands for one word, `>` at the end for one or more. `orders.*` matches
 * `orders.eu`, and `orders.>` also `orders.eu.paid`; neither matches `orders`
 * @throws ConclaveError `INVALID_ARGUMENT`
 * @example
 * ```ts
 * for await (const { topic, message } of subscribeTopics(client, "orders.*")) console.log(topic, message);
 * ```
 */
export function subscribeTopics<Message>(
  client: ClientView,
  pattern: string,
  { codec = jsonCodec<Message>(), prefix, from = "now", bufferMessages, signal }: PatternOptions<Message> = {},
): AsyncGenerator<Delivery<Message>, void, undefined> {
  const log = new MessageLog(client, patternSource(pattern, prefix));
  // Asked for at once: what is published before the first message is taken counts too.
  const place = placeOfStart(log, from, signal ?? new AbortController().signal);
  place.catch(() => {}); // Whoever iterates hears of it.
  return followWhile(signal, nothing, async function* (over) {
    for await (const entry of log.after(await place, { signal: over, bufferMessages })) yield toDelivery(entry, codec);
  });
}
