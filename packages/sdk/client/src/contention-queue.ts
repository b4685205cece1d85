/**
 * @module Standing in a queue of the store. A contender's place is a key on its lease; who came first is told by the
 * create revisions. It waits only for those right before it, so that one who leaves wakes no more than can go on.
 */
import type { ClientView } from "./client.ts";
import { ConclaveError } from "./conclave-error.ts";
import { compare } from "./kv/compare.ts";
import { type BytesInput, prefix, type RangeInput } from "./kv/key-range.ts";
import type { KeyValue } from "./kv/key-value.ts";
import type { RangeResult, RangeSelection } from "./kv/kv-options.ts";
import { type Op, op } from "./kv/op.ts";

/** The rule of a queue: where a contender stands, and for whom it waits. */
export interface QueueRule {
  /** What the contender's key starts with; its lease in hex follows. */
  readonly place: string;
  /** Those whom it waits for, if they came before it. */
  readonly ahead: RangeInput;
  /** How many may have their turn at once: it waits until fewer than so many are ahead of it. From 1. */
  readonly permits: number;
}

/** One who stands in a queue. */
export interface QueuePlace {
  /** Its key. */
  readonly key: string;
  /** The revision at which it came. */
  readonly fence: number;
}

/** One who enters a queue. */
export interface QueueEntrant {
  /** The lease that its key hangs on. */
  readonly lease: bigint;
  /** What others see of it. */
  readonly value: BytesInput;
  /** What else is written in the same transaction. */
  readonly alongside: ((place: { readonly key: string; readonly lease: bigint }) => readonly Op<unknown>[]) | undefined;
  /** Ends the call. */
  readonly signal: AbortSignal;
}

/** How to wait in a queue. */
export interface QueueWait {
  /** Whether to fail with `TIMEOUT` if it is not this contender's turn at once. */
  readonly onlyIfFree: boolean;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** The queue of a name that one at a time owns, as etcd's Go package `concurrency` has it. */
export function exclusiveQueue(name: string): QueueRule {
  return { place: `${name}/`, ahead: prefix(`${name}/`), permits: 1 };
}

/**
 * Puts a contender's key. Guarded by the key's absence, so repeating it after an unknown outcome is safe.
 *
 * @throws ConclaveError `OWNERSHIP_LOST` if the key was there and is gone
 */
export async function enterQueue(
  client: ClientView,
  { place }: QueueRule,
  contender: QueueEntrant,
): Promise<QueuePlace> {
  const { lease, value, alongside, signal } = contender;
  const key = `${place}${lease.toString(16)}`;
  const result = await client
    .txn()
    .if(compare.createRevision(key).equal(0))
    .then(op.put(key, value, { lease }), ...(alongside?.({ key, lease }) ?? []))
    .else(op.get(key))
    .commit({ signal, idempotent: true });
  if (result.succeeded) return { key, fence: result.revision };
  const [own] = result.responses;
  if (own === undefined) throw lostPlace(key);
  return { key, fence: own.createRevision };
}

/**
 * Waits until it is a contender's turn.
 *
 * @throws ConclaveError `OWNERSHIP_LOST` if its key is gone, `TIMEOUT` if it is not its turn and it would not wait, or the
 * signal's reason
 */
export async function waitForTurn(
  client: ClientView,
  rule: QueueRule,
  place: QueuePlace,
  { onlyIfFree, signal }: QueueWait,
): Promise<void> {
  for (;;) {
    // One read of all at one revision: nobody has its turn on a key that is gone.
    const { own, ahead, revision } = await readAhead(client, rule, place, signal);
    if (own?.createRevision !== place.fence) throw lostPlace(place.key);
    if (ahead.length < rule.permits) return;
    if (onlyIfFree) throw takenError(`"${rule.place}" is taken`);
    await untilDeleted(client, awaited(rule, ahead, place), { revision, signal });
  }
}

/** What to watch: a few keys each by itself, many by one watch of where they are. */
function awaited({ ahead, permits }: QueueRule, before: readonly KeyValue[], { key }: QueuePlace): AwaitedKeys {
  const keys = [...before.map(({ keyString }) => keyString), key];
  return permits === 1 ? { ranges: keys, keys } : { ranges: [ahead, key], keys };
}

/** Those right before a contender, as many as may have their turn at once, and its own key. */
async function readAhead(
  client: ClientView,
  rule: QueueRule,
  { key, fence }: QueuePlace,
  signal: AbortSignal,
): Promise<{ readonly own: KeyValue | undefined; readonly ahead: readonly KeyValue[]; readonly revision: number }> {
  const before: RangeSelection = {
    sortBy: "createRevision",
    order: "descending",
    limit: rule.permits,
    maxCreateRevision: fence - 1,
    keysOnly: true,
  };
  const { responses, revision } = await client.txn().then(op.get(key), op.range(rule.ahead, before)).commit({ signal });
  const [own, ahead] = responses as readonly [KeyValue | undefined, RangeResult];
  return { own, ahead: ahead.kvs, revision };
}

/** Keys whose deletion is waited for. */
export interface AwaitedKeys {
  /** The keys. */
  readonly keys: readonly string[];
  /** What to watch to hear of all of them. Default: each key. */
  readonly ranges?: readonly RangeInput[];
}

/**
 * Resolves when one of some keys is deleted.
 *
 * @param options - `revision`: at which they were seen: deletions after it count; `signal`: ends the wait
 * @throws the signal's reason when it aborts
 */
export async function untilDeleted(
  client: ClientView,
  { keys, ranges = keys }: AwaitedKeys,
  options: { readonly revision: number; readonly signal: AbortSignal },
): Promise<void> {
  const { revision, signal } = options;
  const wanted = new Set(keys);
  const first = new AbortController();
  const either = AbortSignal.any([signal, first.signal]);
  const watches = ranges.map(async (range) => {
    await using watcher = client.watch(range, {
      from: revision + 1,
      only: "delete",
      onCompaction: "resync",
      signal: either,
    });
    for await (const { events } of watcher) if (events.some(({ kv }) => wanted.has(kv.keyString))) return;
  });
  try {
    await Promise.race(watches);
  } finally {
    first.abort();
    await Promise.allSettled(watches);
  }
  signal.throwIfAborted();
}

/** The error of one who would not wait for what somebody else has. */
export function takenError(message: string): ConclaveError {
  return new ConclaveError("TIMEOUT", message, { retryable: true, details: { isTaken: true } });
}

/** The error of one whose key in a queue is gone. */
export function lostPlace(key: string): ConclaveError {
  return new ConclaveError("OWNERSHIP_LOST", `The key "${key}" is gone: its lease ran out or someone deleted it`);
}
