/**
 * @module Writes that can be asked for again without being done again. A write with an id leaves a marker in the same
 * transaction; a second try finds the marker and learns that the first took effect, and when. Markers hang on leases
 * that nobody renews, so that they are collected by the store itself.
 */
import * as z from "zod";
import { type CallOptions, CallScope } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { ConclaveError, isConclaveError } from "../conclave-error.ts";
import type { Leases } from "../lease/lease.ts";
import { grantOwnLease } from "../lease/own-lease.ts";
import { validate } from "../validate.ts";
import { type Compare, compare } from "./compare.ts";
import type { Kv } from "./kv.ts";
import { type Op, op } from "./op.ts";
import type { Committed } from "./outcome.ts";

/** Where markers are, as the client that writes sees it. Watch no range that holds it, or skip its keys. */
export const idempotencyPrefix = "_conclave/idempotency/";

/** How long a write can be asked for again by default, in seconds. */
export const idempotencyTtlSecDefault = 600;

const markersPerLeaseMax = 1_000;
const idSchema = z.string().min(1).max(256);

interface MarkerLease {
  readonly id: bigint;
  readonly grantedMs: number;
  markers: number;
  /** Whether a member has said that there is no such lease. */
  isGone: boolean;
}

/** What markers are written with. */
export interface IdempotencyPorts {
  /** Time and timers. */
  readonly ports: CallPorts;
  /** Grants. */
  readonly leases: Leases;
  /** For how long at least a marker is there, in seconds. */
  readonly ttlSec: number;
}

/** A write that is done once however often it is asked for. */
export interface MarkedWrite {
  /** Must hold for the write to take effect. */
  readonly compares: readonly Compare[];
  /** The write. */
  readonly ops: readonly Op<unknown>[];
}

/** Writes with ids. All views of a client share the leases. */
export class Idempotency {
  readonly #made: IdempotencyPorts;
  /** The lease in use, or the grant of the next one: whoever comes meanwhile waits for that. */
  #lease: Promise<MarkerLease> | undefined;

  /** @param made - time, leases, time to live */
  constructor(made: IdempotencyPorts) {
    this.#made = made;
  }

  /**
   * Writes, unless a write with this id has taken effect already.
   *
   * @param kv - the keys among which the marker is written
   * @param id - names the write; whoever asks again gives the same
   * @returns what took effect, now or before; undefined if a condition does not hold
   * @throws ConclaveError as a transaction does; `OUTCOME_UNKNOWN` can be asked for again with the same id
   */
  async commit(kv: Kv, id: string, write: MarkedWrite, options: CallOptions): Promise<Committed | undefined> {
    validate(idSchema, id, "idempotency id");
    const { ports } = this.#made;
    const { signal, timeoutMs = ports.timeoutMs } = options;
    using scope = new CallScope(ports, { signal, timeoutMs });
    for (let expired = 0; ; expired++) {
      const lease = await this.#takeLease(scope);
      try {
        return await this.#commitOn(lease.id, { kv, id, write, options: { signal, timeoutMs: scope.remainingMs } });
      } catch (error) {
        // The member refuses a lease that is gone before it does anything.
        if (!isConclaveError(error, "LEASE_NOT_FOUND") || error.maybeApplied || expired > 0) throw error;
        lease.isGone = true;
      }
    }
  }

  async #commitOn(
    lease: bigint,
    { kv, id, write, options }: { kv: Kv; id: string; write: MarkedWrite; options: CallOptions },
  ): Promise<Committed | undefined> {
    const marker = `${idempotencyPrefix}${id}`;
    const { succeeded, revision, responses } = await kv
      .txn()
      .if(compare.version(marker).equal(0), ...write.compares)
      .then(op.put(marker, "", { lease }), ...write.ops)
      .else(op.get(marker))
      .commit({ ...options, idempotent: true });
    if (succeeded) return { kind: "committed", revision };
    const [before] = responses;
    return before === undefined ? undefined : { kind: "committed", revision: before.createRevision };
  }

  /** A lease that lives for at least the promised time from now, with a place for one marker. */
  async #takeLease(scope: CallScope): Promise<MarkerLease> {
    for (;;) {
      this.#lease ??= this.#grant();
      const asked = this.#lease;
      const lease = await scope.wait(asked, "a write with an idempotency id");
      if (this.#isFit(lease)) {
        lease.markers++;
        return lease;
      }
      // Others who waited for it may have asked for the next one already.
      if (this.#lease === asked) this.#lease = undefined;
    }
  }

  #isFit({ isGone, markers, grantedMs }: MarkerLease): boolean {
    const ageMs = this.#made.ports.clock.monotonicMs() - grantedMs;
    return !isGone && markers < markersPerLeaseMax && ageMs < this.#made.ttlSec * 1_000;
  }

  async #grant(): Promise<MarkerLease> {
    try {
      // Twice the time, so that a marker written at the end of the first half still has all of it.
      const { lease, sentAtMs } = await grantOwnLease(this.#made, 2 * this.#made.ttlSec);
      return { id: lease, grantedMs: sentAtMs, markers: 0, isGone: false };
    } catch (cause) {
      this.#lease = undefined;
      // Whatever became of the lease, the write it was wanted for has not been sent.
      if (!isConclaveError(cause) || !cause.maybeApplied) throw cause;
      const message = `Cannot get a lease for a write with an idempotency id: ${cause.message}`;
      throw new ConclaveError("UNAVAILABLE", message, { cause, retryable: true });
    }
  }
}
