/**
 * @module Queues of which each item is taken once: first in, first out; by priority; and by the time it is due. Items are
 * keys, so a queue outlives its users. Under its name:
 *
 * | queue | key of an item | taken first |
 * |---|---|---|
 * | FIFO | `<name>/<id>` | the one that was put first: the smallest create revision |
 * | priority | `<name>/<priority, 4 digits>/<id>` | of the smallest number, the one that was put first |
 * | delay | `<name>/<due in ms, 16 digits>/<id>` | the one that is due first, once it is |
 */
import { hex } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  type Codec,
  ConclaveError,
  compare,
  isConclaveError,
  jsonCodec,
  type KeyValue,
  op,
  prefix,
} from "@conclave/client";
import { z } from "zod";
import { check, nameSchema } from "./check.ts";
import { bounded, type Look, lookUntilFound } from "./wait.ts";

/** How a queue is made. */
export interface QueueOptions<T> {
  /** How items become bytes; default: JSON, unchecked. */
  readonly codec?: Codec<T> | undefined;
}

/** What every queue does. */
export interface TakeQueue<T> {
  /**
   * Takes the first item; waits for one without limit unless told otherwise. Outages are waited out.
   *
   * Each item is taken once. It is out of the queue when this resolves: who dies before it is done with the item has lost
   * it. Where that must not be, use a consumer group of `@conclave/pubsub`.
   *
   * @throws ConclaveError `OUTCOME_UNKNOWN` if an item may have been taken and the answer was lost; `DATA_LOSS` if the first
   * item cannot be decoded: it stays
   */
  dequeue(options?: CallOptions): Promise<T>;
  /** Takes the first item, or undefined if there is none to be taken now. @throws ConclaveError as `dequeue` */
  tryDequeue(options?: CallOptions): Promise<T | undefined>;
  /** How many items there are, due or not. */
  size(options?: CallOptions): Promise<number>;
}

/** First in, first out. */
export interface Queue<T> extends TakeQueue<T> {
  /** Puts an item at the end. @throws ConclaveError `OUTCOME_UNKNOWN` if it may be there: it is not put twice */
  enqueue(item: T, options?: CallOptions): Promise<void>;
}

/** The most urgent first; of equals, first in, first out. */
export interface PriorityQueue<T> extends TakeQueue<T> {
  /** Puts an item. @throws ConclaveError `OUTCOME_UNKNOWN` if it may be there: it is not put twice */
  enqueue(
    item: T,
    options: CallOptions & { /** From 0, the most urgent, to 9999. */ readonly priority: number },
  ): Promise<void>;
}

/** By the time an item is due. The clock that counts is the wall clock of the one who takes. */
export interface DelayQueue<T> extends TakeQueue<T> {
  /** Puts an item. @throws ConclaveError `OUTCOME_UNKNOWN` if it may be there: it is not put twice */
  enqueue(item: T, options: CallOptions & { /** When it may be taken. */ readonly dueAt: Date }): Promise<void>;
}

const optionsSchema = z.strictObject({ codec: z.looseObject({}).optional() });
const prioritySchema = z.number().int().min(0).max(9_999);

/** Makes a queue that gives items out in the order of their arrival. @throws ConclaveError `INVALID_ARGUMENT` */
export function createQueue<T>(client: ClientView, name: string, options: QueueOptions<T> = {}): Queue<T> {
  const items = new Items(client, name, options, (signal) => oldest(client, prefix(`${name}/`), signal));
  return {
    ...items.taking(),
    enqueue: (item, call = {}) => items.put("", item, call),
  };
}

/** Makes a queue that gives the most urgent item out first. @throws ConclaveError `INVALID_ARGUMENT` */
export function createPriorityQueue<T>(
  client: ClientView,
  name: string,
  options: QueueOptions<T> = {},
): PriorityQueue<T> {
  const head = async (signal: AbortSignal): Promise<Head> => {
    const { kvs, revision } = await client.range(prefix(`${name}/`), { limit: 1, keysOnly: true, signal });
    const [first] = kvs;
    if (first === undefined) return { kv: undefined, revision };
    const priority = first.keyString.slice(0, first.keyString.lastIndexOf("/") + 1);
    return await oldest(client, prefix(priority), signal);
  };
  const items = new Items(client, name, options, head);
  return {
    ...items.taking(),
    enqueue: async (item, { priority, ...call }) => {
      check(prioritySchema, priority, "priority of an item");
      await items.put(`${String(priority).padStart(4, "0")}/`, item, call);
    },
  };
}

/** Makes a queue that gives an item out when it is due. @throws ConclaveError `INVALID_ARGUMENT` */
export function createDelayQueue<T>(client: ClientView, name: string, options: QueueOptions<T> = {}): DelayQueue<T> {
  const head = async (signal: AbortSignal): Promise<Head> => {
    const { kvs, revision } = await client.range(prefix(`${name}/`), { limit: 1, signal });
    const [first] = kvs;
    if (first === undefined) return { kv: undefined, revision };
    const dueMs = Number(first.keyString.slice(name.length + 1).split("/")[0]);
    const leftMs = dueMs - client.ports.clock.wallMs();
    return leftMs > 0 ? { kv: undefined, revision, againMs: leftMs } : { kv: first, revision };
  };
  const items = new Items(client, name, options, head);
  return {
    ...items.taking(),
    enqueue: async (item, { dueAt, ...call }) => {
      check(z.date(), dueAt, "time at which an item is due");
      await items.put(`${String(Math.max(0, dueAt.getTime())).padStart(16, "0")}/`, item, call);
    },
  };
}

/** What is to be taken first. */
interface Head {
  readonly kv: KeyValue | undefined;
  readonly revision: number;
  /** How long until there is something to take, if that is known. */
  readonly againMs?: number;
}

async function oldest(client: ClientView, range: ReturnType<typeof prefix>, signal: AbortSignal): Promise<Head> {
  const { kvs, revision } = await client.range(range, { sortBy: "createRevision", limit: 1, signal });
  return { kv: kvs[0], revision };
}

/** A look that takes. */
interface Take<T> extends Look<readonly [T]> {
  /** Whether there was something to take, for this one or for one who was faster. */
  readonly isTaken: boolean;
}

const idBytes = 12;
/** Between two tries of one who was not the fastest, in milliseconds at most. */
const rivalMs = 10;

/** The items of a queue. */
class Items<T> {
  readonly #client: ClientView;
  readonly #name: string;
  readonly #codec: Codec<T>;
  readonly #head: (signal: AbortSignal) => Promise<Head>;

  constructor(
    client: ClientView,
    name: string,
    options: QueueOptions<T>,
    head: (signal: AbortSignal) => Promise<Head>,
  ) {
    check(nameSchema, name, "name of a queue");
    check(optionsSchema, options, "options of a queue");
    this.#client = client;
    this.#name = name;
    this.#codec = options.codec ?? jsonCodec<T>();
    this.#head = head;
  }

  async put(place: string, item: T, options: CallOptions): Promise<void> {
    const key = `${this.#name}/${place}${hex(this.#client.ports.random.bytes(idBytes))}`;
    try {
      await this.#client.put(key, this.#codec.encode(item), options);
    } catch (error) {
      // Not repeated: if it was put and taken meanwhile, it would come twice. But it may be there to be seen.
      const isThere = isConclaveError(error, "OUTCOME_UNKNOWN") && (await this.#isThere(key, options));
      if (!isThere) throw error;
    }
  }

  async #isThere(key: string, { signal, timeoutMs }: CallOptions): Promise<boolean> {
    return await this.#client.range(key, { countOnly: true, signal, timeoutMs }).then(
      ({ count }) => count > 0,
      () => false,
    );
  }

  taking(): TakeQueue<T> {
    const what = `taking from "${this.#name}"`;
    const range = prefix(`${this.#name}/`);
    return {
      dequeue: (options = {}) =>
        bounded(this.#client, what, options, async (signal) => {
          const [taken] = await lookUntilFound(this.#client, range, () => this.#take(signal), signal);
          return taken;
        }),
      tryDequeue: (options = {}) =>
        bounded(this.#client, what, options, async (signal) => {
          for (;;) {
            const { found, isTaken } = await this.#take(signal);
            if (found !== undefined) return found[0];
            if (!isTaken) return undefined;
          }
        }),
      size: async (options = {}) => (await this.#client.range(range, { ...options, countOnly: true })).count,
    };
  }

  /** Takes the head if it is still there. */
  async #take(signal: AbortSignal): Promise<Take<T>> {
    const { kv, revision, againMs } = await this.#head(signal);
    if (kv === undefined) return { found: undefined, revision, againMs, isTaken: false };
    const item = this.#codec.decode(kv.value);
    if (await this.#remove(kv, signal)) return { found: [item], revision, isTaken: true };
    return { found: undefined, revision, againMs: this.#client.ports.random.fraction() * rivalMs, isTaken: true };
  }

  async #remove({ key, createRevision }: KeyValue, signal: AbortSignal): Promise<boolean> {
    try {
      const result = await this.#client
        .txn()
        .if(compare.createRevision(key).equal(createRevision))
        .then(op.delete(key))
        .commit({ signal });
      return result.succeeded;
    } catch (cause) {
      if (!isConclaveError(cause) || !cause.maybeApplied) throw cause;
      const message = `It is not known whether an item of "${this.#name}" was taken`;
      throw new ConclaveError("OUTCOME_UNKNOWN", message, { cause, maybeApplied: true });
    }
  }
}
