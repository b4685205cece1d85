/** @module Waiting for the store to change: bounded by the caller, and through outages. */
import {
  type CallOptions,
  CallScope,
  type ClientView,
  fullJitterMs,
  isConclaveError,
  type RangeInput,
  sleep,
} from "@conclave/client";

const backoff = { firstMs: 100, maxMs: 5_000 };

/** What a look at the store found. */
export interface Look<T> {
  /** What was looked for; undefined if it is not there. */
  readonly found: T | undefined;
  /** The revision at which it was so. */
  readonly revision: number;
  /** When to look again though nothing changes, in milliseconds; default: never. */
  readonly againMs?: number | undefined;
}

/** Does something under the caller's signal and patience, which is endless if nothing is said. */
export async function bounded<T>(
  client: ClientView,
  what: string,
  { signal, timeoutMs = Number.POSITIVE_INFINITY }: CallOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using scope = new CallScope({ ...client.ports, closed: new AbortController().signal }, { signal, timeoutMs });
  scope.throwIfEnded(what);
  try {
    return await work(scope.signal);
  } catch (error) {
    // That something may have been done counts for more than that the time was over.
    if (!isConclaveError(error, "OUTCOME_UNKNOWN")) scope.throwIfEnded(what);
    throw error;
  }
}

/**
 * Looks, and again after every change of a range, until it finds something. Outages are waited out.
 *
 * @throws what a look throws that does not pass by itself
 */
export async function lookUntilFound<T>(
  client: ClientView,
  range: RangeInput,
  look: () => Promise<Look<T>>,
  signal: AbortSignal,
): Promise<T> {
  const { scheduler, random } = client.ports;
  for (let failures = 0; ; ) {
    try {
      const { found, revision, againMs } = await look();
      failures = 0;
      if (found !== undefined) return found;
      await changeOf(client, { range, from: revision + 1, againMs }, signal);
    } catch (error) {
      const passes = isConclaveError(error) && (error.retryable || error.code === "COMPACTED");
      if (signal.aborted || !passes) throw error;
      await sleep(scheduler, fullJitterMs(random, backoff, ++failures), signal);
    }
  }
}

interface Change {
  readonly range: RangeInput;
  readonly from: number;
  readonly againMs: number | undefined;
}

/** Resolves when the range has changed, or after a while. */
async function changeOf(client: ClientView, { range, from, againMs }: Change, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const watcher = client.watch(range, { from, onCompaction: "error", signal });
  watcher.once("batch", () => watcher.close());
  const waits = [watcher.ended];
  if (againMs !== undefined) waits.push(sleep(client.ports.scheduler, againMs, either).then(() => undefined));
  const error = await Promise.race(waits);
  over.abort();
  watcher.close();
  if (error !== undefined) throw error;
}
