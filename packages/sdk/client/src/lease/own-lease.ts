/** @module Leases under ids of our own, which can be asked for again without making two. */
import type { Clock, Random } from "@conclave/base";
import type { CallOptions } from "../calls/call-scope.ts";
import { isConclaveError } from "../conclave-error.ts";
import type { Renewal } from "./keep-alive-loop.ts";
import type { Leases } from "./lease.ts";

/** A lease, and when it was last surely renewed. */
export interface OwnLease extends Renewal {
  /** The lease. */
  readonly lease: bigint;
}

/** What it takes to ask for leases. */
export interface OwnLeasePorts {
  /** Time and randomness. */
  readonly ports: { readonly clock: Clock; readonly random: Pick<Random, "bytes"> };
  /** Grants and renews. */
  readonly leases: Leases;
}

/**
 * Grants a lease under a random id of 63 bits, so that a try whose answer was lost is made again and not a second lease.
 *
 * @param made - for a client: `{ ports: client.ports, leases: client.lease }`
 * @param ttlSec - the time to live to ask for, in seconds
 * @param call - what each call may take, asked when it is made
 */
export async function grantOwnLease(
  made: OwnLeasePorts,
  ttlSec: number,
  call: () => CallOptions = () => ({}),
): Promise<OwnLease> {
  const { ports, leases } = made;
  const lease = randomLeaseId(ports.random);
  const sentAtMs = ports.clock.monotonicMs();
  try {
    const granted = await leases.grant({ ttlSec, id: lease, ...call() });
    return { lease, ttlSec: granted.ttlSec, sentAtMs };
  } catch (error) {
    // A try whose answer was lost had made it.
    if (!(isConclaveError(error, "LEASE_EXISTS") && error.maybeApplied)) throw error;
    return await renewLease(made, lease, call);
  }
}

/**
 * Renews a lease that is there.
 *
 * @throws ConclaveError `LEASE_NOT_FOUND` if it is not
 */
export async function renewLease(
  { ports, leases }: OwnLeasePorts,
  lease: bigint,
  call: () => CallOptions,
): Promise<OwnLease> {
  const sentAtMs = ports.clock.monotonicMs();
  const { ttlSec } = await leases.keepAliveOnce(lease, call());
  return { lease, ttlSec, sentAtMs };
}

/** A positive id of 63 bits. */
function randomLeaseId(random: Pick<Random, "bytes">): bigint {
  const bits = random.bytes(8).reduce((id, byte) => (id << 8n) | BigInt(byte), 0n) & (2n ** 63n - 1n);
  return bits === 0n ? 1n : bits;
}
