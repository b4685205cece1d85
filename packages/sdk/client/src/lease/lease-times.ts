import type { CallOptions } from "../calls/call-scope.ts";
import type { ClientView } from "../client.ts";
import { inBatches } from "../in-batches.ts";

/** How long a lease has to live. */
export interface LeaseTimes {
  /** Seconds until it ends unless it is renewed. */
  readonly remainingSec: number;
  /** Seconds that each renewal gives it. */
  readonly grantedSec: number;
}

/**
 * Asks how long leases have to live.
 *
 * @param leases - their ids; one may come several times, and `0n` counts as none
 * @returns those that are there, by id
 */
export async function readLeaseTimes(
  client: ClientView,
  leases: Iterable<bigint>,
  options: CallOptions = {},
): Promise<ReadonlyMap<bigint, LeaseTimes>> {
  const ids = [...new Set(leases)].filter((id) => id !== 0n);
  const answers = await inBatches(ids, (id) => client.lease.timeToLive(id, options));
  const living = answers.filter(({ ttlSec }) => ttlSec >= 0);
  return new Map(
    living.map(({ id, ttlSec, grantedTtlSec }) => [id, { remainingSec: ttlSec, grantedSec: grantedTtlSec }]),
  );
}
