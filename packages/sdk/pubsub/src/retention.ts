/**
 * @module What a topic keeps. There is no server that deletes: whoever publishes does, a little more than it publishes, in
 * transactions that delete only what they have seen. Two who collect at once do no harm.
 */
import {
  type CallOptions,
  type ClientView,
  compare,
  type KeyValue,
  op,
  prefix,
  requestsWithin,
} from "@conclave/client";
import { z } from "zod";
import { publishedAtMsOf } from "./message.ts";

/** What a topic keeps: what breaks any of the bounds is deleted, oldest first, read or not. */
export interface Retention {
  /** Most messages kept. Default: no bound. */
  readonly maxMessages?: number | undefined;
  /** Most bytes of keys and values of messages kept. Default: no bound. */
  readonly maxBytes?: number | undefined;
  /**
   * Longest time a message is kept, in milliseconds, by the wall clocks of who published and who deletes. It goes when it
   * and all before it are older. Default: no bound.
   */
  readonly maxAgeMs?: number | undefined;
}

/** The shape of {@link Retention}. */
export const retentionSchema: z.ZodType<Retention> = z.strictObject({
  maxMessages: z.number().int().min(1).optional(),
  maxBytes: z.number().int().min(1).optional(),
  maxAgeMs: z.number().positive().optional(),
});

/** Messages deleted in one transaction; the protocol's limit is 128. */
const batch = 100;
/** Transactions of one pass. */
const batchesMax = 10;
/** A bound may be exceeded by this part of it for each publisher, between two of its passes. */
const slack = 1 / 8;
/** Most messages that a publisher publishes between two passes, and so most that a pass has to make good for it. */
const publishedMax = 500;

/** Deletes the oldest messages of a topic. */
export class Collector {
  readonly #client: ClientView;
  readonly #messages: string;

  /** @param messages - what the keys of the messages start with */
  constructor(client: ClientView, messages: string) {
    this.#client = client;
    this.#messages = messages;
  }

  /** Deletes what breaks the bounds, at most 1 000 messages. @returns how many this call deleted */
  async collect({ maxMessages, maxBytes, maxAgeMs }: Retention, options: CallOptions = {}): Promise<number> {
    const request = requestsWithin(this.#client, options);
    let surplusBytes = maxBytes === undefined ? 0 : (await this.#bytes(request())) - maxBytes;
    const oldestMs = this.#client.ports.clock.wallMs() - (maxAgeMs ?? Number.POSITIVE_INFINITY);
    let deleted = 0;
    for (let round = 0; round < batchesMax; round++) {
      const oldest = { ...request(), sortBy: "createRevision", limit: batch } as const;
      const { kvs, count } = await this.#client.range(prefix(this.#messages), oldest);
      const surplus = maxMessages === undefined ? 0 : count - maxMessages;
      const doomed = kvs.slice(0, Math.max(surplus, outdated(kvs, oldestMs), leading(kvs, surplusBytes)));
      if (doomed.length > 0 && (await this.#delete(doomed, request()))) deleted += doomed.length;
      surplusBytes -= doomed.reduce((sum, kv) => sum + bytesOf(kv), 0);
      if (doomed.length < batch) break;
    }
    return deleted;
  }

  /** Deletes these messages if they are all still there: then nobody else has, and none was published anew. */
  async #delete(kvs: readonly KeyValue[], options: CallOptions): Promise<boolean> {
    const { succeeded } = await this.#client
      .txn()
      .if(...kvs.map(({ key, createRevision }) => compare.createRevision(key).equal(createRevision)))
      .then(...kvs.map(({ key }) => op.delete(key)))
      .commit({ ...options, idempotent: true });
    return succeeded;
  }

  async #bytes(options: CallOptions): Promise<number> {
    let bytes = 0;
    for await (const kv of this.#client.scan(prefix(this.#messages), options)) bytes += bytesOf(kv);
    return bytes;
  }
}

/** How many of the first ones are too old; what tells no time is as old as what is around it. */
function outdated(kvs: readonly KeyValue[], oldestMs: number): number {
  if (oldestMs === Number.NEGATIVE_INFINITY) return 0;
  const first = kvs.findIndex((kv) => (publishedAtMsOf(kv) ?? Number.NEGATIVE_INFINITY) >= oldestMs);
  return first < 0 ? kvs.length : first;
}

/** How many of the first ones have so many bytes, or just more. */
function leading(kvs: readonly KeyValue[], bytes: number): number {
  let left = bytes;
  let count = 0;
  for (const kv of kvs) {
    if (left <= 0) break;
    left -= bytesOf(kv);
    count++;
  }
  return count;
}

function bytesOf({ key, value }: KeyValue): number {
  return key.length + value.length;
}

/** Decides when a publisher collects: after an eighth of a bound, so that a bound is exceeded by little and rarely checked. */
export class CollectionPace {
  readonly #ports: ClientView["ports"];
  readonly #retention: Retention;
  #messages = 0;
  #bytes = 0;
  #passAtMs: number;
  /** How much of the way to the next pass is left: less at first, so that publishers that publish little collect too. */
  #way: number;

  constructor(ports: ClientView["ports"], retention: Retention) {
    this.#ports = ports;
    this.#retention = retention;
    this.#passAtMs = ports.clock.monotonicMs();
    this.#way = 1 - ports.random.fraction();
  }

  /** Counts a message. @returns whether a pass is due; then the count starts again */
  published(bytes: number): boolean {
    this.#messages++;
    this.#bytes += bytes;
    const nowMs = this.#ports.clock.monotonicMs();
    const isDue =
      this.#messages >= this.#messagesMax * this.#way ||
      this.#bytes >= this.#bytesMax * this.#way ||
      nowMs - this.#passAtMs >= this.#everyMs * this.#way;
    if (isDue) [this.#messages, this.#bytes, this.#passAtMs, this.#way] = [0, 0, nowMs, 1];
    return isDue;
  }

  get #messagesMax(): number {
    return Math.min(publishedMax, Math.ceil((this.#retention.maxMessages ?? Number.POSITIVE_INFINITY) * slack));
  }

  get #bytesMax(): number {
    return (this.#retention.maxBytes ?? Number.POSITIVE_INFINITY) * slack;
  }

  get #everyMs(): number {
    return (this.#retention.maxAgeMs ?? Number.POSITIVE_INFINITY) * slack;
  }
}
