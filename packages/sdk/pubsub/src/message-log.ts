import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  isConclaveError,
  type KeyValue,
  prefix,
  type RangeResult,
} from "@conclave/client";
import type { Delivery, MessageCodec } from "./message.ts";

/** Messages read at once. */
const pageSize = 256;

/** The messages of a topic: one key each, ordered by the revision that created it. */
export class MessageLog<Message> {
  readonly #client: ClientView;
  readonly #keys: string;
  readonly #codec: MessageCodec<Message>;

  /** @param keys - what the keys of the messages start with */
  constructor(client: ClientView, keys: string, codec: MessageCodec<Message>) {
    this.#client = client;
    this.#keys = keys;
    this.#codec = codec;
  }

  /** The key of a message. */
  keyOf(id: string): string {
    return `${this.#keys}${id}`;
  }

  /** The present revision: subscribing after it brings only what is published later. */
  async now(options: CallOptions): Promise<number> {
    return (await this.#client.range(prefix(this.#keys), { ...options, countOnly: true })).revision;
  }

  /**
   * Every message after a position, for ever: first those that are stored, then each as it is published, without a gap or
   * a repetition. Ends when the signal aborts.
   */
  async *after(position: number, signal: AbortSignal | undefined): AsyncGenerator<Delivery<Message>, void, undefined> {
    try {
      for (let last = position; ; ) {
        for await (const kv of this.#storedThenPublished(last, signal)) {
          last = kv.createRevision;
          yield this.#toDelivery(kv);
        }
      }
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  /** Ends early if history is compacted faster than it is read; what is stored after the last one goes on from there. */
  async *#storedThenPublished(
    position: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<KeyValue, void, undefined> {
    let page = await this.#page(position, signal);
    yield* page.kvs;
    while (page.more) {
      page = await this.#page(page.kvs.at(-1)?.createRevision ?? position, signal);
      yield* page.kvs;
    }
    try {
      yield* this.#published(page.revision + 1, signal);
    } catch (error) {
      if (!isConclaveError(error, "COMPACTED")) throw error;
    }
  }

  /** Stored messages after a position, oldest first; never a part of those that one transaction published. */
  async #page(
    position: number,
    signal: AbortSignal | undefined,
  ): Promise<Pick<RangeResult, "kvs" | "revision" | "more">> {
    const query = { minCreateRevision: position + 1, sortBy: "createRevision", signal } as const;
    for (let limit = pageSize; ; limit *= 2) {
      const page = await this.#client.range(prefix(this.#keys), { ...query, limit });
      const cut = page.kvs.at(-1)?.createRevision;
      if (!page.more || cut === undefined) return page;
      const whole = page.kvs.filter(({ createRevision }) => createRevision < cut);
      if (whole.length > 0) return { ...page, kvs: whole };
    }
  }

  async *#published(from: number, signal: AbortSignal | undefined): AsyncGenerator<KeyValue, void, undefined> {
    await using watcher = this.#client.watch(prefix(this.#keys), { from, only: "put", onCompaction: "error", signal });
    for await (const { events } of watcher) {
      // A later put on the same key is a correction by hand, not another message.
      for (const { kv } of events) if (kv.createRevision === kv.modRevision) yield kv;
    }
  }

  #toDelivery(kv: KeyValue): Delivery<Message> {
    const id = kv.keyString.slice(this.#keys.length);
    try {
      return { id, position: kv.createRevision, message: this.#codec.decode(kv.valueString) };
    } catch (cause) {
      throw new ConclaveError("DATA_LOSS", `Message "${id}" cannot be decoded`, { cause });
    }
  }
}
