import { type Backoff, fullJitterMs } from "../calls/backoff.ts";
import { sleep } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { type ConclaveError, isConclaveError } from "../conclave-error.ts";
import type { RangeInput } from "../kv/key-range.ts";
import type { KeyValue } from "../kv/key-value.ts";
import type { Kv } from "../kv/kv.ts";
import type { RangeResult } from "../kv/kv-options.ts";

/** Every pair of a range at one revision. */
export interface Listing {
  /** The revision. */
  readonly revision: number;
  /** The cluster; 0n if it did not say. */
  readonly clusterId: bigint;
  /** The pairs. */
  readonly kvs: readonly KeyValue[];
}

/** What to list, and how long to try. */
export interface ListingRequest {
  /** The keys. */
  readonly range: RangeInput;
  /** The revision to read at; 0 for the present. */
  readonly revision: number;
  /** Leave the values out. */
  readonly keysOnly: boolean;
  /** Ends the tries. */
  readonly signal: AbortSignal;
  /** Hears of every try that failed and is followed by another. */
  readonly onRetry: (error: ConclaveError) => void;
}

/** How long to wait between tries of what a watch needs. */
export const watchRetryBackoff: Backoff = { firstMs: 100, maxMs: 5_000 };

/**
 * Lists a range, trying for as long as it may work.
 *
 * @returns the listing; or the error that no try can cure, also that of an aborted signal
 */
export async function listForWatch(
  { scheduler, random }: CallPorts,
  kv: Kv,
  request: ListingRequest,
): Promise<Listing | ConclaveError> {
  const { range, onRetry, ...options } = request;
  for (let failures = 1; ; failures++) {
    try {
      return await collect(kv.pages(range, options));
    } catch (error) {
      if (!isConclaveError(error)) throw error;
      // At the present revision a compaction can only have overtaken the pages after the first.
      const overtaken = error.code === "COMPACTED" && options.revision === 0;
      if (!overtaken && !error.retryable) return error;
      if (!overtaken) onRetry(error);
    }
    await sleep(scheduler, fullJitterMs(random, watchRetryBackoff, failures), options.signal);
  }
}

async function collect(pages: AsyncIterable<RangeResult>): Promise<Listing> {
  let revision = 0;
  let clusterId = 0n;
  const kvs: KeyValue[] = [];
  for await (const page of pages) {
    // Every page is read at the first one's revision; the header of a later one says only when it was read.
    if (revision === 0)
      ({
        revision,
        header: { clusterId },
      } = page);
    for (const kv of page.kvs) kvs.push(kv);
  }
  return { revision, clusterId, kvs };
}
