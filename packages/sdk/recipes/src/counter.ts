/**
 * @module A counter that counts each addition once, also when answers are lost. Its key holds the value and the ids of the
 * last additions, so that an addition whose fate is not known can be looked up:
 *
 * ```json
 * {"value":7,"recent":[["9f0c…",5],["03ab…",7]]}
 * ```
 */
import { hex } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  compare,
  fullJitterMs,
  isConclaveError,
  type KeyValue,
  op,
  sleep,
} from "@conclave/client";
import { z } from "zod";
import { check, nameSchema } from "./check.ts";
import { bounded } from "./wait.ts";

/** A whole number that many add to. */
export interface Counter {
  /** Its value; 0 before anybody added. */
  get(options?: CallOptions): Promise<number>;
  /**
   * Adds to it, once: a lost answer is resolved by looking. Takes 10 s at most unless told otherwise.
   *
   * @param delta - a whole number of any sign
   * @returns the value after this addition
   * @throws ConclaveError `OUT_OF_RANGE` if the sum is no safe integer; `TIMEOUT` if nothing was added in time;
   * `OUTCOME_UNKNOWN` if it may have been and that could not be found out in time, or 32 others added meanwhile
   */
  add(delta: number, options?: CallOptions): Promise<number>;
}

/** Additions that are remembered. */
const recentMax = 32;
const idBytes = 8;
const timeoutMsDefault = 10_000;
const rivalBackoff = { firstMs: 5, maxMs: 200 };

const stateSchema = z.object({
  value: z.number().int(),
  recent: z.array(z.tuple([z.string(), z.number().int()])),
});
type CounterState = z.infer<typeof stateSchema>;

/** Makes a counter. @throws ConclaveError `INVALID_ARGUMENT` */
export function createCounter(client: ClientView, key: string): Counter {
  check(nameSchema, key, "key of a counter");
  return {
    get: async (options) => stateOf(key, await client.get(key, options)).value,
    add: (delta, options = {}) => {
      check(z.number().int(), delta, "number to add");
      const addition = new Addition(client, key, delta);
      const bound = { timeoutMs: timeoutMsDefault, ...options };
      return bounded(client, `adding to "${key}"`, bound, (signal) => addition.run(signal)).catch((error: unknown) => {
        throw addition.outcomeOf(error);
      });
    },
  };
}

function stateOf(key: string, kv: KeyValue | undefined): CounterState {
  if (kv === undefined) return { value: 0, recent: [] };
  try {
    return stateSchema.parse(JSON.parse(kv.valueString));
  } catch (cause) {
    throw new ConclaveError("DATA_LOSS", `The key "${key}" holds no counter`, { cause });
  }
}

/** The key as a write was guarded with it. */
type Guard = Pick<KeyValue, "createRevision" | "modRevision" | "version">;

const absent: Guard = { createRevision: 0, modRevision: 0, version: 0 };

/** One addition, tried until its fate is known. */
class Addition {
  readonly #client: ClientView;
  readonly #key: string;
  readonly #delta: number;
  readonly #id: string;
  /** What the write was guarded with whose answer did not come; while that is what is there it may still happen. */
  #maybe: Guard | undefined;

  constructor(client: ClientView, key: string, delta: number) {
    this.#client = client;
    this.#key = key;
    this.#delta = delta;
    this.#id = hex(client.ports.random.bytes(idBytes));
  }

  async run(signal: AbortSignal): Promise<number> {
    const { scheduler, random } = this.#client.ports;
    for (let failures = 1; ; failures++) {
      try {
        const value = await this.#try(signal);
        if (value !== undefined) return value;
      } catch (error) {
        if (!isConclaveError(error) || !error.retryable) throw error;
      }
      await sleep(scheduler, fullJitterMs(random, rivalBackoff, failures), signal);
      signal.throwIfAborted();
    }
  }

  /** What the caller learns of an error: an addition that may have happened is not said to have failed. */
  outcomeOf(error: unknown): unknown {
    return this.#maybe === undefined || isConclaveError(error, "OUTCOME_UNKNOWN") ? error : this.#unknown(error);
  }

  /** @returns the sum; undefined if somebody else was faster, or an answer was lost */
  async #try(signal: AbortSignal): Promise<number | undefined> {
    const seen = await this.#client.get(this.#key, { signal });
    const { value, recent } = stateOf(this.#key, seen);
    const done = recent.find(([id]) => id === this.#id);
    if (done !== undefined) return done[1];
    this.#judgeMaybe(seen ?? absent);
    const sum = value + this.#delta;
    if (!Number.isSafeInteger(sum))
      throw new ConclaveError("OUT_OF_RANGE", `Cannot add ${this.#delta} to "${this.#key}": current value is ${value}`);
    const next: CounterState = { value: sum, recent: [...recent.slice(1 - recentMax), [this.#id, sum]] };
    return (await this.#write(seen ?? absent, next, signal)) ? sum : undefined;
  }

  async #write(guard: Guard, next: CounterState, signal: AbortSignal): Promise<boolean> {
    try {
      const result = await this.#client
        .txn()
        .if(compare.modRevision(this.#key).equal(guard.modRevision))
        .then(op.put(this.#key, JSON.stringify(next)))
        .commit({ signal });
      return result.succeeded;
    } catch (error) {
      if (!isConclaveError(error) || !error.maybeApplied) throw error;
      this.#maybe = guard;
      return false;
    }
  }

  /**
   * Decides whether a write whose answer was lost has failed, now that it is not among the recent ones.
   *
   * @throws ConclaveError `OUTCOME_UNKNOWN` if that is not to be told any more
   */
  #judgeMaybe(seen: Guard): void {
    const guard = this.#maybe;
    // What it was guarded with is still there: it may happen, and its repetition is the same write.
    if (guard === undefined || seen.modRevision === guard.modRevision) return;
    const isSameKey = seen.version > 0 && (guard.version === 0 || seen.createRevision === guard.createRevision);
    if (!isSameKey || seen.version - guard.version > recentMax) throw this.#unknown();
    this.#maybe = undefined;
  }

  #unknown(cause?: unknown): ConclaveError {
    const message = `It is not known whether ${this.#delta} was added to "${this.#key}"`;
    return new ConclaveError("OUTCOME_UNKNOWN", message, { cause, maybeApplied: true });
  }
}
