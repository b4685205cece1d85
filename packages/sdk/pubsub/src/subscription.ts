import { type CallOptions, type ClientView, ConclaveError, compare, type MutationOptions, op } from "@conclave/client";
import type { Delivery } from "./message.ts";
import type { MessageLog } from "./message-log.ts";

/** A message of a durable subscription. */
export interface SubscribedDelivery<Message> extends Delivery<Message> {
  /**
   * Says that this message and all before it are done: the subscription goes on after it, whoever takes it up.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if someone else went on with the subscription meanwhile
   */
  ack(options?: MutationOptions): Promise<void>;
}

/**
 * A subscriber by name whose position is stored, so that it finds what it has missed. One consumer at a time: when two go
 * on with it, only one of them can acknowledge.
 */
export interface Subscription<Message> {
  /** Its name. */
  readonly name: string;
  /** The position up to which messages are done. */
  position(options?: CallOptions): Promise<number>;
  /** Every message that is not done yet, then each as it is published. Ends when the signal aborts. */
  messages(options?: { readonly signal?: AbortSignal }): AsyncGenerator<SubscribedDelivery<Message>, void, undefined>;
}

/** Creates the subscription that is stored under a key. */
export function createSubscription<Message>(
  client: ClientView,
  log: MessageLog<Message>,
  { name, key }: { readonly name: string; readonly key: string },
): Subscription<Message> {
  return {
    name,
    async position(options) {
      return Number((await client.getString(key, options)) ?? "0");
    },
    async *messages({ signal } = {}) {
      const stored = await client.get(key, signal === undefined ? {} : { signal });
      const cursor = new Cursor(client, key, stored?.modRevision ?? 0);
      for await (const delivery of log.after(Number(stored?.valueString ?? "0"), signal)) {
        yield { ...delivery, ack: (options) => cursor.moveTo(delivery.position, options) };
      }
    },
  };
}

/** The stored position, moved only by the consumer that moved it last. */
class Cursor {
  readonly #client: ClientView;
  readonly #key: string;
  #modRevision: number;
  #position = 0;

  constructor(client: ClientView, key: string, modRevision: number) {
    this.#client = client;
    this.#key = key;
    this.#modRevision = modRevision;
  }

  async moveTo(position: number, options?: MutationOptions): Promise<void> {
    if (position <= this.#position) return;
    const unmoved = compare.modRevision(this.#key).equal(this.#modRevision);
    const result = await this.#client
      .txn()
      .if(unmoved)
      .then(op.put(this.#key, String(position)))
      .commit(options);
    if (!result.succeeded) {
      throw new ConclaveError("OWNERSHIP_LOST", `The subscription "${this.#key}" was taken up by someone else`);
    }
    this.#modRevision = result.revision;
    this.#position = position;
  }
}
