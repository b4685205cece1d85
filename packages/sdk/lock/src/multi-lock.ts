/** @module Several locks at once: all of them or none, in one transaction, so that no two can wait for each other. */
import {
  type ClientView,
  type Compare,
  compare,
  createOwnership,
  type KeyValue,
  type Ownership,
  op,
  prefix,
  type RangeResult,
  type Session,
  takenError,
  untilDeleted,
  withOwnSession,
} from "@conclave/client";
import * as z from "zod";
import { type Acquirable, createAcquirable } from "./acquirable.ts";
import { check, contenderSchema, nameSchema } from "./check.ts";
import { type ContenderOptions, describeContender, leaseOptions } from "./contender.ts";

/** Several locks that are held together. */
export interface HeldLocks extends Omit<Ownership, "key" | "guard"> {
  /** Their names. */
  readonly names: readonly string[];
  /** The keys, one for each name. */
  readonly keys: readonly string[];
  /** Hold only while all of the names are owned: for transactions of one's own. */
  readonly guards: readonly Compare[];
}

/** Several locks that are taken together. */
export interface MultiLock extends Acquirable<HeldLocks> {
  /** Their names. */
  readonly names: readonly string[];
}

const namesSchema = z
  .array(nameSchema)
  .min(1)
  .max(64)
  .refine((names) => new Set(names).size === names.length, "must not name a lock twice");

/**
 * Makes a lock of several names, each of which {@link createLock}, Go's `concurrency.Mutex` and `etcdctl lock` contend for
 * too. All are taken in one transaction at a moment when all of them are free, or none is: it never holds some while it
 * waits for others. It stands in no queue, so that it may wait long for names that others want all the time.
 *
 * @param names - from 1 to 64, in any order
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createMultiLock(
  client: ClientView,
  names: readonly string[],
  options: ContenderOptions = {},
): MultiLock {
  check(namesSchema, names, "names of locks");
  check(contenderSchema, options, "options of locks");
  const take = async ({ waitMs, signal }: { waitMs?: number | undefined; signal?: AbortSignal | undefined }) =>
    await withOwnSession(
      client,
      { name: names.join('", "'), ...leaseOptions(options), waitMs, signal },
      async (session, ended) => {
        const keys = names.map((name) => `${name}/${session.lease.toString(16)}`);
        const value = describeContender(client, options);
        const fence = await takeAll(client, session, { names, keys, value, onlyIfFree: waitMs === 0, signal: ended });
        return heldLocks(createOwnership(client, session, { keys, fence }), names, keys);
      },
    );
  return { names: [...names], ...createAcquirable(take) };
}

interface Wanted {
  readonly names: readonly string[];
  readonly keys: readonly string[];
  readonly value: string;
  readonly onlyIfFree: boolean;
  readonly signal: AbortSignal;
}

/** @returns the revision at which all were taken */
async function takeAll(client: ClientView, { lease }: Session, wanted: Wanted): Promise<number> {
  const { names, keys, value, onlyIfFree, signal } = wanted;
  const [first = ""] = keys;
  for (;;) {
    const result = await client
      .txn()
      .if(...names.map((name) => compare.createRevision(prefix(`${name}/`)).equal(0)))
      .then(...keys.map((key) => op.put(key, value, { lease })))
      .else(op.get(first), ...names.map((name) => op.range(prefix(`${name}/`), lastComer)))
      .commit({ signal, idempotent: true });
    if (result.succeeded) return result.revision;
    const [own, ...queues] = result.responses as unknown as readonly [KeyValue | undefined, ...RangeResult[]];
    // A try whose answer was lost had taken them.
    if (own !== undefined) return own.createRevision;
    if (onlyIfFree) throw takenError(`Of "${names.join('", "')}" some are taken`);
    // Nobody comes before the last one in a queue: while it stands there the name is not free.
    const [last] = queues.flatMap(({ kvs }) => kvs);
    if (last !== undefined)
      await untilDeleted(client, { keys: [last.keyString] }, { revision: result.revision, signal });
  }
}

const lastComer = { sortBy: "createRevision", order: "descending", limit: 1, keysOnly: true } as const;

function heldLocks(ownership: Ownership, names: readonly string[], keys: readonly string[]): HeldLocks {
  const guards = keys.map((key) => compare.createRevision(key).equal(ownership.fence));
  return Object.assign(ownership, { names, keys, guards });
}
