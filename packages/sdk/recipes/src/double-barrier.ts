/**
 * @module A double barrier: so many participants enter together and leave together. Under its name:
 *
 * | key | value |
 * |---|---|
 * | `<name>/inside/<lease in hex>` | a participant, on its lease |
 * | `<name>/ready` | the participants of the round under way, as JSON: who finds itself among them is inside |
 *
 * A round is over when none of its participants is there, however they went; then anybody may open the next one.
 */
import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  compare,
  type KeyValue,
  op,
  prefix,
  type RangeResult,
  type Session,
} from "@conclave/client";
import { z } from "zod";
import { check, nameSchema, ttlSchema } from "./check.ts";
import { bounded, type Look, lookUntilFound } from "./wait.ts";

/** How a double barrier is made. All participants must say the same. */
export interface DoubleBarrierOptions {
  /** How many enter together, from 1 to 100. */
  readonly count: number;
  /** How long a participant may be silent before it counts as gone, in seconds. Default: 15. */
  readonly ttlSec?: number | undefined;
}

/** A participant that is inside. */
export interface Inside extends AsyncDisposable {
  /** Aborts when this participant's lease is lost: the others do not wait for it any more. */
  readonly signal: AbortSignal;
  /** Leaves; resolves when everybody who entered with this participant has left or is dead. */
  leave(options?: CallOptions): Promise<void>;
}

/** A barrier that participants enter together and leave together, round after round. */
export interface DoubleBarrier {
  /**
   * Waits until there are enough participants. One more than that waits for the next round. Without limit unless told
   * otherwise; outages are waited out.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if this participant's own lease ran out meanwhile
   */
  enter(options?: CallOptions): Promise<Inside>;
}

const optionsSchema = z.strictObject({ count: z.number().int().min(1).max(100), ttlSec: ttlSchema.optional() });
const roundSchema = z.array(z.string());

/** Makes a double barrier. @throws ConclaveError `INVALID_ARGUMENT` */
export function createDoubleBarrier(client: ClientView, name: string, options: DoubleBarrierOptions): DoubleBarrier {
  check(nameSchema, name, "name of a double barrier");
  const { count, ttlSec } = check(optionsSchema, options, "options of a double barrier");
  const rounds = new Rounds(client, name, count);
  return {
    enter: (call = {}) =>
      bounded(client, `entering "${name}"`, call, async (signal) => {
        const session = await client.session({ ttlSec, signal });
        try {
          const round = await rounds.enter(session, AbortSignal.any([signal, session.signal]));
          return insideOf(rounds, session, round);
        } catch (error) {
          // The lease runs out if it cannot be revoked.
          await session.close().catch(() => {});
          throw session.held || signal.aborted ? error : lost(name);
        }
      }),
  };
}

function insideOf(rounds: Rounds, session: Session, round: readonly string[]): Inside {
  const leave = async (options: CallOptions = {}): Promise<void> => {
    await session.close(options);
    await rounds.end(round, options);
  };
  return { signal: session.signal, leave, [Symbol.asyncDispose]: () => leave() };
}

/** The rounds of one barrier. */
class Rounds {
  readonly #client: ClientView;
  readonly #name: string;
  readonly #count: number;
  readonly #ready: string;
  readonly #inside: string;

  constructor(client: ClientView, name: string, count: number) {
    this.#client = client;
    this.#name = name;
    this.#count = count;
    this.#ready = `${name}/ready`;
    this.#inside = `${name}/inside/`;
  }

  /** @returns the keys of everybody who entered together */
  async enter({ lease }: Session, signal: AbortSignal): Promise<readonly string[]> {
    const own = `${this.#inside}${lease.toString(16)}`;
    await this.#client.put(own, "", { lease, signal, idempotent: true });
    return await lookUntilFound(this.#client, prefix(`${this.#name}/`), () => this.#look(own, signal), signal);
  }

  /** Resolves when nobody of a round is there. */
  async end(round: readonly string[], options: CallOptions): Promise<void> {
    await bounded(this.#client, `leaving "${this.#name}"`, options, async (signal) => {
      const look = async (): Promise<Look<true>> => {
        const { kvs, revision } = await this.#client.range(prefix(this.#inside), { keysOnly: true, signal });
        return { found: kvs.some(({ keyString }) => round.includes(keyString)) ? undefined : true, revision };
      };
      await lookUntilFound(this.#client, prefix(this.#inside), look, signal);
    });
  }

  async #look(own: string, signal: AbortSignal): Promise<Look<readonly string[]>> {
    const seen = await this.#client.range(prefix(`${this.#name}/`), { sortBy: "createRevision", signal });
    const { revision } = seen;
    const there = seen.kvs.filter(({ keyString }) => keyString.startsWith(this.#inside));
    if (!there.some(({ keyString }) => keyString === own)) throw lost(this.#name);
    const ready = seen.kvs.find(({ keyString }) => keyString === this.#ready);
    if (ready === undefined) return await this.#open(there, seen, signal);
    const round = parseRound(ready);
    if (round.includes(own)) return { found: round, revision };
    if (!there.some(({ keyString }) => round.includes(keyString))) await this.#close(ready, round, signal);
    return { found: undefined, revision };
  }

  /** Begins a round with those who are here for the longest time, if they are enough. */
  async #open(there: readonly KeyValue[], { revision }: RangeResult, signal: AbortSignal): Promise<Look<never>> {
    const first = there.slice(0, this.#count);
    if (first.length === this.#count)
      await this.#client
        .txn()
        .if(
          compare.createRevision(this.#ready).equal(0),
          ...first.map(({ key, createRevision }) => compare.createRevision(key).equal(createRevision)),
        )
        .then(op.put(this.#ready, JSON.stringify(first.map(({ keyString }) => keyString))))
        .commit({ signal, idempotent: true });
    return { found: undefined, revision };
  }

  /** Ends a round whose participants are gone. */
  async #close(ready: KeyValue, round: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#client
      .txn()
      .if(
        compare.modRevision(this.#ready).equal(ready.modRevision),
        ...round.map((key) => compare.createRevision(key).equal(0)),
      )
      .then(op.delete(this.#ready))
      .commit({ signal, idempotent: true });
  }
}

function parseRound({ keyString, valueString }: KeyValue): readonly string[] {
  try {
    return roundSchema.parse(JSON.parse(valueString));
  } catch (cause) {
    throw new ConclaveError("DATA_LOSS", `The key "${keyString}" holds no round of a double barrier`, { cause });
  }
}

function lost(name: string): ConclaveError {
  return new ConclaveError("OWNERSHIP_LOST", `The lease of this participant of "${name}" ran out`);
}
