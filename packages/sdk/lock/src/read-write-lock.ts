/** @module The read-write lock: many readers or one writer, in the order in which they came. */
import { type CallOptions, type ClientView, prefix, readContenders, takeOwnership } from "@conclave/client";
import { type Acquirable, createAcquirable } from "./acquirable.ts";
import { check, contenderSchema, nameSchema } from "./check.ts";
import {
  type ContenderOptions,
  describeContender,
  type LockContender,
  leaseOptions,
  toLockContender,
} from "./contender.ts";
import { type HeldLock, Holding } from "./held-lock.ts";
import { askToRelease, type RequestReleaseOptions } from "./release-request.ts";

/** Someone who reads or writes, or waits to. */
export interface ReadWriteContender extends LockContender {
  /** Which of the two. */
  readonly side: "read" | "write";
}

/** Who holds a read-write lock and who waits, at one revision. */
export interface ReadWriteLockState {
  /** The revision at which it was so. */
  readonly revision: number;
  /** One writer, or any number of readers; empty if the lock is free. */
  readonly holders: readonly ReadWriteContender[];
  /** Those who wait, in the order in which they came. */
  readonly waiters: readonly ReadWriteContender[];
}

/** Many readers or one writer at a time. Nobody is overtaken: a reader waits for a writer that came before it. */
export interface ReadWriteLock {
  /** The lock's name. */
  readonly name: string;
  /** To hold it together with other readers. */
  readonly read: Acquirable<HeldLock>;
  /** To hold it alone. A reader cannot become a writer: it would wait for itself. */
  readonly write: Acquirable<HeldLock>;
  /** Who holds the lock and who waits. */
  inspect(options?: CallOptions): Promise<ReadWriteLockState>;
  /** Asks all who hold the lock to give way. @returns who was asked */
  requestRelease(options?: RequestReleaseOptions): Promise<readonly ReadWriteContender[]>;
}

/**
 * Makes a read-write lock. It takes no lease and no connection until it is acquired.
 *
 * The queue has the layout of `RWMutex` in etcd's Go package `recipes`, which excludes it and is excluded by it: keys are
 * `<name>/read/…` and `<name>/write/…`. Its name must not be that of a mutex.
 *
 * @param name - the same for everybody who contends
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createReadWriteLock(client: ClientView, name: string, options: ContenderOptions = {}): ReadWriteLock {
  check(nameSchema, name, "name of a read-write lock");
  check(contenderSchema, options, "options of a read-write lock");
  const { holder } = options;

  /** A reader waits for writers before it, a writer for everybody before it. */
  const side = (place: string, ahead: string): Acquirable<HeldLock> =>
    createAcquirable(async ({ waitMs, signal }) => {
      const queue = { place, ahead: prefix(ahead), permits: 1 };
      const value = describeContender(client, options);
      const ownership = await takeOwnership(client, name, { ...leaseOptions(options), value, queue, waitMs, signal });
      return new Holding({ client, name, ownership });
    });

  const inspect = async (callOptions?: CallOptions): Promise<ReadWriteLockState> => {
    const read = await readContenders(client, name, callOptions);
    const contenders = read.contenders.map((contender): ReadWriteContender => {
      const isReader = contender.key.startsWith(`${name}/read`);
      return { ...toLockContender(client, contender), side: isReader ? "read" : "write" };
    });
    const firstWriter = contenders.findIndex((contender) => contender.side === "write");
    const together = firstWriter === -1 ? contenders.length : Math.max(1, firstWriter);
    return {
      revision: read.revision,
      holders: contenders.slice(0, together),
      waiters: contenders.slice(together),
    };
  };

  return {
    name,
    read: side(`${name}/read/`, `${name}/write`),
    write: side(`${name}/write/`, `${name}/`),
    inspect,
    async requestRelease({ reason, ...call } = {}) {
      const { holders } = await inspect(call);
      const asked = holders.map((each) => askToRelease(client, { name, by: holder }, each, { reason, ...call }));
      const wereThere = await Promise.all(asked);
      return holders.filter((_, at) => wereThere[at]);
    },
  };
}
