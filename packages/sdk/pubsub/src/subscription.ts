import {
  type CallOptions,
  type ClientView,
  type Codec,
  ConclaveError,
  compare,
  isConclaveError,
  type KeyValue,
  type MutationOptions,
  type Op,
  op,
  type PutResult,
  type TxnResult,
} from "@conclave/client";
import { followWhile } from "./follow.ts";
import { type Delivery, toDelivery } from "./message.ts";
import type { MessageLog } from "./message-log.ts";
import { waitOut } from "./outage.ts";
import { formatPlace, isAfter, type Place, parsePlace, placeOf } from "./place.ts";

/** A message of a durable subscription. */
export interface SubscribedDelivery<Message> extends Delivery<Message> {
  /**
   * Says that this message and all before it are done: the subscription goes on after it, whoever takes it up. It may be
   * said again, and is by itself once if its answer was lost: that has no further effect.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if someone else went on with the subscription meanwhile
   */
  ack(options?: MutationOptions): Promise<void>;
}

/**
 * A subscriber by name whose place is stored, so that it finds what it has missed. One consumer at a time: when two go
 * on with it, only one of them can acknowledge. For many that share the work, see {@link Topic.group}.
 */
export interface Subscription<Message> {
  /** Its name. */
  readonly name: string;
  /** The position up to which messages are done. */
  position(options?: CallOptions): Promise<number>;
  /** Every message that is not done yet, then each as it is published. Ends when the signal aborts. */
  messages(options?: { readonly signal?: AbortSignal }): AsyncGenerator<SubscribedDelivery<Message>, void, undefined>;
}

/** What a subscription is made of. */
export interface SubscriptionParts<Message> {
  readonly name: string;
  /** Where its place is stored. */
  readonly key: string;
  readonly log: MessageLog;
  readonly codec: Codec<Message>;
  /** Moves the topic's delayed messages while somebody follows it. */
  readonly mover: (signal: AbortSignal) => Promise<void>;
}

/** Creates the subscription that is stored under a key. */
export function createSubscription<Message>(
  client: ClientView,
  { name, key, log, codec, mover }: SubscriptionParts<Message>,
): Subscription<Message> {
  return {
    name,
    async position(options) {
      return parsePlace(await client.getString(key, options)).position;
    },
    messages({ signal: wanted } = {}) {
      return followWhile(wanted, mover, async function* (signal) {
        const stored = await waitOut(client, () => client.get(key, { signal }), signal);
        const cursor = new Cursor(client, key, stored?.modRevision ?? 0);
        for await (const entry of log.after(parsePlace(stored?.valueString), { signal })) {
          const ack = (options?: MutationOptions) => cursor.moveTo(placeOf(entry), options);
          yield { ...toDelivery(entry, codec), ack };
        }
      });
    },
  };
}

type PutTry = TxnResult<readonly [Op<PutResult>], readonly [Op<KeyValue | undefined>]>;

/** The stored place, moved only by the consumer that moved it last. */
class Cursor {
  readonly #client: ClientView;
  readonly #key: string;
  #modRevision: number;
  #place: Place | undefined;
  /** What was written if a write succeeded whose answer did not come. */
  #maybe: string | undefined;

  constructor(client: ClientView, key: string, modRevision: number) {
    this.#client = client;
    this.#key = key;
    this.#modRevision = modRevision;
  }

  async moveTo(place: Place, options?: MutationOptions): Promise<void> {
    if (this.#place !== undefined && !isAfter(place, this.#place)) return;
    const value = formatPlace(place);
    for (let tries = 1; ; tries++) {
      const result = await this.#put(value, options, { mayRepeat: tries === 1 });
      if (result === undefined) continue;
      if (result.succeeded) {
        this.#modRevision = result.revision;
        this.#place = place;
        return;
      }
      const [found] = result.responses;
      if (found === undefined || found.valueString !== this.#maybe)
        throw new ConclaveError("OWNERSHIP_LOST", `The subscription "${this.#key}" was taken up by someone else`);
      this.#modRevision = found.modRevision;
      this.#maybe = undefined;
      if (found.valueString === value) {
        this.#place = place;
        return;
      }
    }
  }

  /** @returns undefined if the answer was lost and it is to be done again: that finds out what became of this one */
  async #put(
    value: string,
    options: MutationOptions | undefined,
    { mayRepeat }: { readonly mayRepeat: boolean },
  ): Promise<PutTry | undefined> {
    try {
      const unmoved = compare.modRevision(this.#key).equal(this.#modRevision);
      return await this.#client
        .txn()
        .if(unmoved)
        .then(op.put(this.#key, value))
        .else(op.get(this.#key))
        .commit(options);
    } catch (error) {
      if (!isConclaveError(error) || !error.maybeApplied) throw error;
      this.#maybe = value;
      if (!mayRepeat || error.code !== "OUTCOME_UNKNOWN") throw error;
      return undefined;
    }
  }
}
