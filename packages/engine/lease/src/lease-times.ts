/**
 * @module What only the leader knows of its leases: when each ends, which are being revoked, and which remaining TTLs
 * the log should hear of. It is made anew at each promotion and thrown away at demotion.
 */
import { invariant } from "@conclave/base";
import type { LeaseCheckpoint } from "@conclave/protocol/etcdserverpb";
import { createDeadline, type Deadline, DeadlineQueue } from "./deadline-queue.ts";

/** How long a lease that was handed out, but with which nothing happened, waits to be handed out again. */
const retryMs = 3_000;

/** The replicated facts that the times of a lease follow from; they may change under the timer. */
export interface LeaseTerms {
  readonly id: bigint;
  /** The TTL granted. */
  readonly ttlSec: number;
  /** What the last applied checkpoint left of it; 0 means all. */
  readonly remainingTtlSec: number;
}

/** Orders ids as signed numbers. */
export function compareIds(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The times of one lease. */
class LeaseTimer {
  readonly terms: LeaseTerms;
  readonly expiry: Deadline<LeaseTimer> = createDeadline<LeaseTimer>(this);
  readonly checkpoint: Deadline<LeaseTimer> = createDeadline<LeaseTimer>(this);
  /** When the lease ends; `expiry` may be later, after the lease was handed out. */
  expiryMs = 0;
  revoking = false;
  /** A checkpoint was handed out to be proposed and has not been applied. */
  checkpointProposed = false;

  constructor(terms: LeaseTerms) {
    this.terms = terms;
  }

  /** What a new leader would think is left. */
  get recordedTtlSec(): number {
    const { ttlSec, remainingTtlSec } = this.terms;
    return remainingTtlSec > 0 ? remainingTtlSec : ttlSec;
  }
}

/** The times of the leases of a leader. All but {@link LeaseTimes.start} take ids that were started. */
export class LeaseTimes {
  readonly #checkpointIntervalSec: number;
  readonly #timers = new Map<bigint, LeaseTimer>();
  readonly #expiries = new DeadlineQueue<LeaseTimer>();
  readonly #checkpoints = new DeadlineQueue<LeaseTimer>();

  constructor(checkpointIntervalSec: number) {
    this.#checkpointIntervalSec = checkpointIntervalSec;
  }

  /** Starts to time a lease: it ends when what is left of it, and the extension, have passed. */
  start(terms: LeaseTerms, { nowMs, extendMs }: { readonly nowMs: number; readonly extendMs: number }): void {
    const timer = new LeaseTimer(terms);
    this.#timers.set(terms.id, timer);
    this.#endAt(timer, nowMs + timer.recordedTtlSec * 1_000 + extendMs);
    this.#scheduleCheckpoint(timer, nowMs);
  }

  /** Forgets a lease. */
  stop(id: bigint): void {
    const timer = this.#timer(id);
    this.#expiries.remove(timer.expiry);
    this.#checkpoints.remove(timer.checkpoint);
    this.#timers.delete(id);
  }

  /** All leases, the first to end first; ids break ties. */
  ids(): bigint[] {
    return [...this.#timers.values()]
      .sort((left, right) => left.expiryMs - right.expiryMs || compareIds(left.terms.id, right.terms.id))
      .map((timer) => timer.terms.id);
  }

  /** When a lease ends. */
  expiryMs(id: bigint): number {
    return this.#timer(id).expiryMs;
  }

  /** Whether a revoke of the lease was proposed. */
  isRevoking(id: bigint): boolean {
    return this.#timer(id).revoking;
  }

  /** From here on the lease is neither handed out nor checkpointed. */
  markRevoking(id: bigint): void {
    const timer = this.#timer(id);
    timer.revoking = true;
    this.#expiries.remove(timer.expiry);
  }

  /** Undoes {@link LeaseTimes.markRevoking}; nothing happens if the lease is not marked. */
  unmarkRevoking(id: bigint): void {
    const timer = this.#timer(id);
    if (!timer.revoking) return;
    timer.revoking = false;
    this.#expiries.set(timer.expiry, timer.expiryMs);
  }

  /** Gives a lease its whole TTL again. Not for one that is being revoked. */
  renew(id: bigint, nowMs: number): void {
    const timer = this.#timer(id);
    invariant(!timer.revoking, "a lease that is being revoked is not renewed", id);
    this.#endAt(timer, nowMs + timer.terms.ttlSec * 1_000);
    this.#scheduleCheckpoint(timer, nowMs);
  }

  /** Whether the log knows, or will know, less left of the lease than its whole TTL. */
  isCheckpointed(id: bigint): boolean {
    const timer = this.#timer(id);
    return timer.checkpointProposed || timer.terms.remainingTtlSec > 0;
  }

  /** Takes note that a checkpoint of the lease was applied. */
  onCheckpoint(id: bigint, nowMs: number): void {
    const timer = this.#timer(id);
    timer.checkpointProposed = false;
    this.#scheduleCheckpoint(timer, nowMs);
  }

  /** The leases that have ended, the first to end first. */
  expired(nowMs: number, limit: number): bigint[] {
    const timers = this.#expiries.takeDue(nowMs, limit);
    for (const timer of timers) this.#expiries.set(timer.expiry, nowMs + retryMs);
    return timers.map((timer) => timer.terms.id);
  }

  /** The remaining TTLs that are due to be logged. */
  dueCheckpoints(nowMs: number, limit: number): LeaseCheckpoint[] {
    const due: LeaseCheckpoint[] = [];
    for (const timer of this.#checkpoints.takeDue(nowMs, limit)) {
      const remainingTTL = Math.ceil((timer.expiryMs - nowMs) / 1_000);
      if (remainingTTL <= 0) continue; // It has ended: `expired` hands it out.
      this.#checkpoints.set(timer.checkpoint, nowMs + retryMs);
      // There is nothing to say of one that is as good as gone, or that has lost only of an extension so far.
      if (timer.revoking || remainingTTL >= timer.recordedTtlSec) continue;
      timer.checkpointProposed = true;
      due.push({ ID: timer.terms.id, remainingTTL });
    }
    return due;
  }

  #timer(id: bigint): LeaseTimer {
    const timer = this.#timers.get(id);
    invariant(timer !== undefined, "every lease of a leader is timed", id);
    return timer;
  }

  #endAt(timer: LeaseTimer, expiryMs: number): void {
    timer.expiryMs = expiryMs;
    this.#expiries.set(timer.expiry, expiryMs);
  }

  /** A lease of which no more than an interval is left on record needs no checkpoint. */
  #scheduleCheckpoint(timer: LeaseTimer, nowMs: number): void {
    if (timer.recordedTtlSec <= this.#checkpointIntervalSec) this.#checkpoints.remove(timer.checkpoint);
    else this.#checkpoints.set(timer.checkpoint, nowMs + this.#checkpointIntervalSec * 1_000);
  }
}
