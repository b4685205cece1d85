import {
  type CallOptions,
  type ClientView,
  ConclaveError,
  isConclaveError,
  type Ownership,
  prefix,
  takeOwnership,
} from "@conclave/client";
import { z } from "zod";

/** How a lock is made. */
export interface LockOptions {
  /**
   * Seconds after which the lock of a holder that has died, or hangs, falls to the next one. Default 15, at least the
   * server's minimum of 2.
   */
  readonly ttlSec?: number;
  /** Milliseconds before the lease's end at which the holder stops trusting its lock. Default: the client's. */
  readonly marginMs?: number;
  /** What others see of the holder with {@link Lock.inspect}, such as a host name. Default: nothing. */
  readonly holder?: string;
}

/** How long to wait for a lock. */
export interface AcquireOptions {
  /** Longest wait in milliseconds; default: no limit. */
  readonly waitMs?: number;
  /** Ends the wait: the call rejects with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal;
}

/** A lock that is held: {@link Ownership} of the lock's name. `await using` releases it at the end of the scope. */
export type HeldLock = Ownership;

/** Someone who holds a lock or waits for it. */
export interface LockContender {
  /** The contender's key. */
  readonly key: string;
  /** Its fence, if it holds or comes to hold the lock. */
  readonly fence: number;
  /** The lease it lives on. */
  readonly lease: bigint;
  /** What it says of itself. */
  readonly holder: string;
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

/** A fair mutex across processes: first come, first served. */
export interface Lock {
  /** The lock's name. */
  readonly name: string;
  /**
   * Waits until the lock is this caller's. Every call contends for itself: two tasks of one process exclude each other.
   *
   * @throws ConclaveError `TIMEOUT`, `ABORTED`, or `SESSION_LOST` if the caller's own lease ran out while it waited
   */
  acquire(options?: AcquireOptions): Promise<HeldLock>;
  /** Takes the lock if it is free; otherwise resolves with undefined at once. */
  tryAcquire(options?: Pick<AcquireOptions, "signal">): Promise<HeldLock | undefined>;
  /**
   * Runs a task under the lock and releases it whatever happens.
   *
   * @throws what the task throws, or what {@link Lock.acquire} does
   */
  run<R>(task: (lock: HeldLock) => Promise<R>, options?: AcquireOptions): Promise<R>;
  /** Who holds the lock and who waits. */
  inspect(options?: CallOptions): Promise<LockState>;
}

const nameSchema = z.string().min(1, "must not be empty");
const optionsSchema = z.strictObject({
  ttlSec: z.number().int().min(1).optional(),
  marginMs: z.number().min(0).optional(),
  holder: z.string().optional(),
});
const acquireSchema = z.strictObject({
  waitMs: z.number().min(1).optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

function check<T>(schema: z.ZodType, value: T, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return value;
  const [issue] = result.error.issues;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${what}: ${issue?.path.join(".") ?? ""} ${issue?.message}`);
}

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
  const { ttlSec, marginMs, holder } = options;
  const own = { ttlSec, marginMs, value: holder };

  const acquire = ({ waitMs, signal }: AcquireOptions = {}): Promise<HeldLock> => {
    check(acquireSchema, { waitMs, signal }, "options of acquire");
    return takeOwnership(client, name, { ...own, waitMs, signal });
  };

  return {
    name,
    acquire,
    async tryAcquire({ signal } = {}) {
      try {
        return await takeOwnership(client, name, { ...own, waitMs: 0, signal });
      } catch (error) {
        if (isConclaveError(error, "TIMEOUT")) return undefined;
        throw error;
      }
    },
    async run(task, acquireOptions) {
      await using lock = await acquire(acquireOptions);
      return await task(lock);
    },
    inspect: (callOptions) => inspect(client, name, callOptions),
  };
}

async function inspect(client: ClientView, name: string, options?: CallOptions): Promise<LockState> {
  const { kvs, revision } = await client.range(prefix(`${name}/`), { ...options, sortBy: "createRevision" });
  const [holder, ...waiters] = kvs.map(({ keyString, valueString, createRevision, lease }) => ({
    key: keyString,
    fence: createRevision,
    lease,
    holder: valueString,
  }));
  return { revision, holder, waiters };
}
