import { type CallOptions, ConclaveError, isConclaveError } from "@conclave/client";
import type { Delivery } from "../message.ts";
import type { Claim, Claims } from "./claims.ts";

/** A message that a member of a group has in hand. */
export interface GroupDelivery<Message> extends Delivery<Message> {
  /** How often it was handed to a member, this time included. More than 1: it may have been processed before. */
  readonly deliveries: number;
  /**
   * Says that it is done. Once this resolves it does not come again. A message leaves the group once; a call whose answer
   * was lost, and that finds it gone when it asks again, resolves too, whoever settled it.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if the group has handed it to somebody else, as it took too long or this member
   * was held for dead; `TIMEOUT`, `OUTCOME_UNKNOWN` as every write: then it may be called again
   */
  ack(options?: CallOptions): Promise<void>;
  /**
   * Gives it back, for any member to take. Counts as a delivery.
   *
   * @throws ConclaveError as `ack`
   */
  nack(
    options?: CallOptions & { /** How long nobody takes it, in milliseconds. Default: 0. */ readonly delayMs?: number },
  ): Promise<void>;
  /**
   * Asks for more time: the others leave it alone for another `visibilityMs`.
   *
   * @throws ConclaveError as `ack`
   */
  extend(options?: CallOptions): Promise<void>;
}

/** What a member keeps of the messages in hand. */
export interface Hand {
  /** The revision of the record of a message in hand; undefined if it is not, or not by this delivery. */
  readonly revisions: Map<string, number>;
  /** Tells that there is room. */
  onChange(): void;
}

/** What a consumer gets for a claim. */
export class ClaimedMessage {
  readonly #claims: Claims;
  readonly #hand: Hand;
  #claim: Claim;
  #isDone = false;
  /** Whether a settlement was sent whose answer did not come. */
  #maybeSettled = false;

  constructor(claims: Claims, hand: Hand, claim: Claim) {
    this.#claims = claims;
    this.#hand = hand;
    this.#claim = claim;
  }

  async ack(options: CallOptions = {}): Promise<void> {
    if (this.#isDone) return;
    const settlement = await this.#settle(options);
    const wasOurs = settlement === "settled" || (settlement === "gone" && this.#maybeSettled);
    this.#drop();
    if (!wasOurs) throw this.#lost();
    this.#isDone = true;
  }

  async nack({ delayMs = 0, ...options }: CallOptions & { readonly delayMs?: number } = {}): Promise<void> {
    const revision = await this.#claims.renew(this.#claim, { owner: "", waitMs: delayMs }, options);
    this.#drop();
    if (revision === undefined) throw this.#lost();
  }

  async extend(options: CallOptions = {}): Promise<void> {
    const revision = await this.#claims.renew(this.#claim, {}, options);
    if (revision === undefined) {
      this.#drop();
      throw this.#lost();
    }
    if (this.#isInHand) this.#hand.revisions.set(this.#claim.key, revision);
    this.#claim = { ...this.#claim, modRevision: revision };
  }

  /** A settlement may be repeated when its answer was lost: it is guarded by a revision that comes once. */
  async #settle(options: CallOptions): Promise<"settled" | "gone" | "taken"> {
    try {
      return await this.#claims.settle(this.#claim, options);
    } catch (error) {
      if (!isConclaveError(error, "OUTCOME_UNKNOWN") || this.#maybeSettled) throw error;
      this.#maybeSettled = true;
      return await this.#claims.settle(this.#claim, options);
    }
  }

  get #isInHand(): boolean {
    return this.#hand.revisions.get(this.#claim.key) === this.#claim.modRevision;
  }

  #drop(): void {
    if (this.#isInHand) this.#hand.revisions.delete(this.#claim.key);
    this.#hand.onChange();
  }

  #lost(): ConclaveError {
    const { entry } = this.#claim;
    return new ConclaveError("OWNERSHIP_LOST", `The message "${entry.id}" was handed to another member meanwhile`);
  }
}
