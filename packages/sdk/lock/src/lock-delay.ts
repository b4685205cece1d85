/**
 * @module Time between a holder that was lost and the next one, in which what the lost one had under way can come to its
 * end. A holder keeps a mark beside the lock on a second lease, which lives longer than the lock's. Whoever releases the lock
 * takes the mark away first; that of one who is lost is renewed no more and stands until its lease runs out, and so long the
 * next one waits, be it that the lost one lives on and releases what it has no longer.
 */
import {
  type CallOptions,
  CallScope,
  type ClientView,
  ConclaveError,
  compare,
  type Ownership,
  op,
  type Session,
  type SessionOptions,
  takenError,
  untilDeleted,
} from "@conclave/client";
import type { AcquireOptions } from "./acquirable.ts";

/** How to wait for the mark of a holder that was lost. */
export interface LockDelay extends AcquireOptions {
  /** The shortest time between a lost holder and the next one, in milliseconds. */
  readonly delayMs: number;
  /** How the lease of the lock is kept. */
  readonly lease: Pick<SessionOptions, "renewer">;
}

/** A lease is renewed every third of its time: it must be long enough when it was about to be. */
const renewedPart = 2 / 3;

/**
 * Puts the mark of a holder, when there is none of an earlier one any more. If it cannot, it gives the lock up.
 *
 * @returns gives the lock up in order
 * @throws ConclaveError as waiting for the lock does
 */
export async function waitOutDelay(
  client: ClientView,
  name: string,
  ownership: Ownership,
  { delayMs, lease: { renewer }, waitMs, signal }: LockDelay,
): Promise<(options?: CallOptions) => Promise<void>> {
  const { clock, scheduler } = client.ports;
  const timeoutMs = waitMs === undefined || waitMs === 0 ? Number.POSITIVE_INFINITY : waitMs;
  using scope = new CallScope({ clock, scheduler, closed: ownership.signal }, { signal, timeoutMs });
  const ttlSec = Math.ceil((ownership.ttlSec + delayMs / 1_000) / renewedPart);
  let session: Session | undefined;
  try {
    session = await client.session({ ttlSec, renewer, signal: scope.signal });
    await putMark(client, { name, ownership, lease: session.lease, onlyIfFree: waitMs === 0 }, scope.signal);
  } catch (error) {
    const lost = ownership.signal.aborted ? ownership.signal.reason : undefined;
    const reason = lost ?? (scope.end === undefined ? error : scope.error(`waiting for "${name}"`));
    // Both leases run out by themselves.
    await Promise.allSettled([ownership.release({ timeoutMs: 1_000 }), session?.close({ timeoutMs: 1_000 })]);
    throw reason;
  }
  const marked = session;
  // Nobody may keep the next one waiting for ever who is lost and lives on.
  void ownership.ended.then((error) => error.code === "SESSION_LOST" && marked.abandon());
  return async (options) => {
    // The mark first, or the next one would wait for it; should that fail it ends by itself. Who has lost the lock has
    // perhaps not yet heard of it, and ends its work early for that very reason: what is under way may be so still.
    if (ownership.held) await marked.close(options).catch(() => {});
    else marked.abandon();
    await ownership.release(options);
  };
}

interface Mark {
  readonly name: string;
  readonly ownership: Ownership;
  readonly lease: bigint;
  readonly onlyIfFree: boolean;
}

async function putMark(client: ClientView, mark: Mark, signal: AbortSignal): Promise<void> {
  const { name, ownership, lease, onlyIfFree } = mark;
  const key = `${name}.held`;
  for (;;) {
    const result = await client
      .txn()
      .if(ownership.guard, compare.createRevision(key).equal(0))
      .then(op.put(key, `${ownership.fence}`, { lease }))
      .else(op.get(ownership.key), op.get(key))
      .commit({ signal, idempotent: true });
    if (result.succeeded) return;
    const [own, standing] = result.responses;
    if (own?.createRevision !== ownership.fence)
      throw new ConclaveError("OWNERSHIP_LOST", `The key "${ownership.key}" is gone`);
    // A try whose answer was lost had put it.
    if (standing?.lease === lease) return;
    if (onlyIfFree) throw takenError(`The holder of "${name}" was lost`);
    if (standing !== undefined) await untilDeleted(client, { keys: [key] }, { revision: result.revision, signal });
  }
}
