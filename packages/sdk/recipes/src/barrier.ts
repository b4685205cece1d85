import { type CallOptions, type ClientView, ConclaveError, compare, op, type Session } from "@conclave/client";
import { z } from "zod";
import { check, nameSchema, ttlSchema } from "./check.ts";
import { bounded, lookUntilFound } from "./wait.ts";

/** How a barrier is made. */
export interface BarrierOptions {
  /** How long the holder may be silent before the barrier opens by itself, in seconds. Default: 15. */
  readonly ttlSec?: number | undefined;
}

/** A barrier that is down, by this holder. `await using` opens it at the end of the scope. */
export interface HeldBarrier extends AsyncDisposable {
  /** Whether it is surely down; computed when asked. */
  readonly held: boolean;
  /** Aborts when it is open: opened by the holder, or because its lease was lost. */
  readonly signal: AbortSignal;
  /** Opens it: everybody who waits goes on. */
  release(options?: CallOptions): Promise<void>;
}

/** A barrier: somebody holds it down, others wait until it is open. */
export interface Barrier {
  /**
   * Puts it down for as long as the holder lives and does not open it.
   *
   * @throws ConclaveError `ALREADY_EXISTS` if it is down
   */
  hold(options?: CallOptions): Promise<HeldBarrier>;
  /** Resolves when it is open, at once if it is. Waits without limit unless told otherwise; outages are waited out. */
  wait(options?: CallOptions): Promise<void>;
}

const optionsSchema = z.strictObject({ ttlSec: ttlSchema.optional() });

/**
 * Makes a barrier. It is down while its key is there.
 *
 * @param key - the key
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createBarrier(client: ClientView, key: string, options: BarrierOptions = {}): Barrier {
  check(nameSchema, key, "key of a barrier");
  const { ttlSec } = check(optionsSchema, options, "options of a barrier");
  return {
    async hold(call = {}) {
      const session = await client.session({ ttlSec, signal: call.signal, timeoutMs: call.timeoutMs });
      try {
        await putDown(client, key, session, call);
        return heldBarrier(session);
      } catch (error) {
        // The lease runs out if it cannot be revoked.
        await session.close().catch(() => {});
        throw error;
      }
    },
    wait: (call = {}) =>
      bounded(client, `waiting for the barrier "${key}"`, call, async (signal) => {
        const look = async () => {
          const { count, revision } = await client.range(key, { countOnly: true, signal });
          return { found: count === 0 ? true : undefined, revision };
        };
        await lookUntilFound(client, key, look, signal);
      }),
  };
}

async function putDown(client: ClientView, key: string, { lease }: Session, options: CallOptions): Promise<void> {
  const result = await client
    .txn()
    .if(compare.createRevision(key).equal(0))
    .then(op.put(key, "", { lease }))
    .else(op.get(key))
    .commit({ ...options, idempotent: true });
  // It may be there by an earlier try of this very call.
  if (result.succeeded || result.responses[0]?.lease === lease) return;
  throw new ConclaveError("ALREADY_EXISTS", `The barrier "${key}" is down already`);
}

function heldBarrier(session: Session): HeldBarrier {
  const release = (options?: CallOptions): Promise<void> => session.close(options);
  return {
    get held() {
      return session.held;
    },
    signal: session.signal,
    release,
    [Symbol.asyncDispose]: () => release(),
  };
}
