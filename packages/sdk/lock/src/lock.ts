/** @module The mutex. */
import { type CallOptions, type ClientView, listContentions, readContenders, takeOwnership } from "@conclave/client";
import * as z from "zod";
import { type Acquirable, createAcquirable } from "./acquirable.ts";
import { check, contenderFields, nameSchema } from "./check.ts";
import {
  type ContenderOptions,
  describeContender,
  type LockContender,
  leaseOptions,
  toLockContender,
} from "./contender.ts";
import { type HeldLock, Holding } from "./held-lock.ts";
import { waitOutDelay } from "./lock-delay.ts";
import { reentrant } from "./reentrancy.ts";
import { askToRelease, type RequestReleaseOptions } from "./release-request.ts";

/** How a lock is made. */
export interface LockOptions extends ContenderOptions {
  /**
   * The shortest time between a holder that was lost without releasing the lock and the next one, in milliseconds: what the
   * lost one has under way elsewhere can come to its end. It may become twice as long, and half the time to live. The same
   * for everybody who contends; clients in other languages know nothing of it. At most a day. Default: 0.
   */
  readonly lockDelayMs?: number | undefined;
  /**
   * Whether a task that `run` has called may take this lock again through this object, and gets it at once. It is released
   * when it was released as often as taken. Default: false; then such a task waits for itself.
   */
  readonly reentrant?: boolean | undefined;
}

/** Who holds a lock and who waits, at one revision. */
export interface LockState {
  /** The revision at which it was so. */
  readonly revision: number;
  /** The holder; undefined if the lock is free. */
  readonly holder: LockContender | undefined;
  /** Those who wait, in the order in which they will hold it. */
  readonly waiters: readonly LockContender[];
}

/** A lock that somebody holds, with its name. */
export interface NamedLock {
  /** The lock's name. */
  readonly name: string;
  /** The holder. */
  readonly holder: LockContender;
  /** Those who wait, in the order in which they will hold it. */
  readonly waiters: readonly LockContender[];
}

/** The locks that are held, at one revision. */
export interface LockListing {
  /** The revision at which it was so. */
  readonly revision: number;
  /** The locks, by name. */
  readonly locks: readonly NamedLock[];
}

/** Which locks to list. */
export interface ListLocksOptions extends CallOptions {
  /** What their names start with. Default: nothing, for all; that reads every key of the store. */
  readonly prefix?: string;
}

/** A fair mutex across processes: first come, first served. */
export interface Lock extends Acquirable<HeldLock> {
  /** The lock's name. */
  readonly name: string;
  /** Who holds the lock and who waits. */
  inspect(options?: CallOptions): Promise<LockState>;
  /**
   * Asks the holder to give way, which it learns by {@link HeldLock.releaseRequested}.
   *
   * @returns who was asked; undefined if the lock is free
   */
  requestRelease(options?: RequestReleaseOptions): Promise<LockContender | undefined>;
}

const optionsSchema = z.strictObject({
  ...contenderFields,
  lockDelayMs: z.number().min(0).max(86_400_000).optional(),
  reentrant: z.boolean().optional(),
});

/**
 * Makes a lock. It takes no lease and no connection until it is acquired.
 *
 * The queue has the layout of etcd's Go package `concurrency`: its `Mutex` and `etcdctl lock` of the same name exclude
 * this lock and are excluded by it.
 *
 * @param name - the same for everybody who contends; keys are `<name>/<lease in hex>`
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createLock(client: ClientView, name: string, options: LockOptions = {}): Lock {
  check(nameSchema, name, "name of a lock");
  check(optionsSchema, options, "options of a lock");
  const { holder, lockDelayMs = 0 } = options;
  const lease = leaseOptions(options);
  const { clock } = client.ports;

  const outermost = createAcquirable(async ({ waitMs, signal }) => {
    const startMs = clock.monotonicMs();
    const value = describeContender(client, options);
    const ownership = await takeOwnership(client, name, { ...lease, value, waitMs, signal });
    if (lockDelayMs === 0) return new Holding({ client, name, ownership });
    const leftMs =
      waitMs === undefined || waitMs === 0 ? waitMs : Math.max(1, waitMs - (clock.monotonicMs() - startMs));
    const giveUp = await waitOutDelay(client, name, ownership, { delayMs: lockDelayMs, lease, waitMs: leftMs, signal });
    return new Holding({ client, name, ownership, giveUp });
  });

  const inspect = async (callOptions?: CallOptions): Promise<LockState> => {
    const { revision, contenders } = await readContenders(client, name, callOptions);
    const [first, ...waiters] = contenders.map((contender) => toLockContender(client, contender));
    return { revision, holder: first, waiters };
  };

  return {
    name,
    ...(options.reentrant === true ? reentrant(outermost) : outermost),
    inspect,
    async requestRelease({ reason, ...call } = {}) {
      // A holder that has gone meanwhile had no need to be asked; the next one may have.
      for (;;) {
        const { holder: asked } = await inspect(call);
        if (asked === undefined || (await askToRelease(client, { name, by: holder }, asked, { reason, ...call })))
          return asked;
      }
    },
  };
}

/**
 * Lists the locks that are held, by whoever took them: this package, Go's `concurrency.Mutex` or `etcdctl lock`. An
 * election is kept in the same way and listed too. A lock that is free leaves no trace.
 */
export async function listLocks(
  client: ClientView,
  { prefix = "", ...options }: ListLocksOptions = {},
): Promise<LockListing> {
  const { revision, contentions } = await listContentions(client, prefix, options);
  const locks = contentions.flatMap(({ name, contenders }) => {
    const [holder, ...waiters] = contenders.map((contender) => toLockContender(client, contender));
    return holder === undefined ? [] : [{ name, holder, waiters }];
  });
  return { revision, locks };
}
