/**
 * @module The lessor: which leases exist, which keys hang on them, and when they end.
 *
 * Two kinds of state live here. What the log says (leases, their TTL, their checkpointed remaining TTL, their keys)
 * is the same on every member and never looks at a clock. When a lease ends is known to the leader alone (the
 * *primary* lessor), is kept in memory, and starts anew with every leader:
 *
 * ```text
 *   demoted ── promote(now, extension) ──► primary: every lease ends at now + remaining TTL + extension
 *      ▲                                      │ renew(id, now)       ends at now + TTL; not logged
 *      └──────────────── demote() ────────────┤ expired(now, n)      who is overdue: propose to revoke them
 *                                             │ markRevoking(id)     proposed: from here on renewals are refused
 *                                             ▼ revoke(id)           applied: the lease is gone, everywhere
 * ```
 *
 * A renewal that arrives late but before `markRevoking` still counts: the caller must therefore handle everything
 * that was readable from its sockets before it calls `expired`, above all after a stall.
 */
import { type Backend, exponentialBounds, Histogram, invariant } from "@conclave/base";
import type { LeaseCheckpoint } from "@conclave/protocol/etcdserverpb";
import { LeaseError } from "./lease-error.ts";
import { LeaseRows } from "./lease-rows.ts";
import { compareIds, type LeaseTerms, LeaseTimes } from "./lease-times.ts";

/** The longest TTL that can be asked for, in seconds; etcd's. */
export const maxTtlSec = 9_000_000_000;

/** What a lessor is made of. */
export interface LessorOptions {
  /** The live store; rows are kept in its bucket "lease". */
  readonly backend: Backend;
  /**
   * The shortest TTL granted, in whole seconds, at least 1: shorter wishes are raised to it. All members must agree
   * on it, as it goes into the rows. etcd takes ceil(1.5 × election timeout).
   */
  readonly minTtlSec: number;
  /**
   * How much of a long lease may pass before its remaining TTL is due for a checkpoint, in seconds; default 300,
   * etcd's. A change of the leader lengthens a lease by at most about so much.
   */
  readonly checkpointIntervalSec?: number;
  /**
   * Whether an applied checkpoint goes into the row as well; asked at each. It must depend on replicated state only.
   * etcd says yes from cluster version 3.6 on, as does the default.
   */
  readonly persistsCheckpoints?: () => boolean;
}

/** A lease to be granted. */
export interface LeaseGrant {
  /** The id, any non-zero int64. */
  readonly id: bigint;
  /** The wished TTL in seconds; anything below the minimum, even negative, means the minimum. */
  readonly ttlSec: bigint;
  /** The monotonic time of the caller; it counts only if the lessor is primary. */
  readonly nowMs: number;
}

/** An accepted renewal. */
export interface LeaseRenewal {
  /** The TTL granted at first, which the lease now has left again, in seconds. */
  readonly ttlSec: number;
  /**
   * Whether a shorter remaining TTL is on record or under way for this lease. Then a checkpoint of 0 must be
   * proposed and applied before the renewal is acknowledged, or the next leader would end the lease too early.
   */
  readonly resetCheckpoint: boolean;
}

/** How much of a lease is left. */
export interface LeaseTimeToLive {
  /** Whole seconds left, rounded down, at least 0. */
  readonly remainingSec: number;
  /** The TTL granted at first, in seconds. */
  readonly grantedTtlSec: number;
}

/** The leases of a member. Every id is a signed 64-bit number; every key is a `binaryString`. */
export interface Lessor {
  /** Whether there is such a lease. */
  exists(id: bigint): boolean;
  /**
   * Hangs a key on a lease. The caller has taken it off the one it hung on.
   *
   * @throws {@link LeaseError} `NOT_FOUND`
   */
  attach(id: bigint, key: string): void;
  /** Takes a key off a lease; nothing happens if it does not hang on it, or the lease is gone. */
  detach(id: bigint, key: string): void;
  /**
   * The keys of a lease, ascending as bytes; the first step of a revoke is to delete them from the store.
   *
   * @throws {@link LeaseError} `NOT_FOUND`
   */
  keysOf(id: bigint): string[];
  /**
   * Applies a grant.
   *
   * @returns the TTL granted, in seconds
   * @throws {@link LeaseError} `NOT_FOUND` for id 0, `TTL_TOO_LARGE`, `EXISTS`
   */
  grant(grant: LeaseGrant): { readonly ttlSec: number };
  /**
   * The second step of a revoke: drops the lease, its row and what it knows of keys.
   *
   * @throws {@link LeaseError} `NOT_FOUND`
   */
  revoke(id: bigint): void;
  /**
   * Applies a checkpoint: how much of a lease its leader saw left; 0 means all of it.
   *
   * @throws {@link LeaseError} `NOT_FOUND`
   */
  checkpoint(checkpoint: LeaseCheckpoint, nowMs: number): void;

  /** Whether this lessor keeps time: see {@link Lessor.promote}. */
  readonly primary: boolean;
  /**
   * Becomes primary: every lease gets its whole remaining TTL, and the extension, from now on. To be called by a
   * leader that has applied the first entry of its term, so that no revoke of an earlier term is still on its way.
   *
   * @param extendMs - an allowance for what clients lost while there was no leader; one election timeout in etcd
   */
  promote(nowMs: number, extendMs: number): void;
  /** Stops keeping time and forgets which revokes were proposed. */
  demote(): void;
  /**
   * Renews a lease.
   *
   * @throws {@link LeaseError} `NOT_FOUND`, `NOT_PRIMARY`, `REVOKING`
   */
  renew(id: bigint, nowMs: number): LeaseRenewal;
  /**
   * How much of a lease is left.
   *
   * @throws {@link LeaseError} `NOT_FOUND`, `NOT_PRIMARY`
   */
  timeToLive(id: bigint, nowMs: number): LeaseTimeToLive;
  /** The ids of all leases; the first to end first if the lessor is primary, else ascending. */
  leases(): bigint[];
  /**
   * Leases that are overdue and whose revoke is not yet proposed, the most overdue first; none unless primary. An id
   * that comes to nothing is given again after three seconds. A bounded number at a steady pace spreads a mass expiry:
   * etcd takes 500 every 500 ms.
   */
  expired(nowMs: number, limit: number): bigint[];
  /**
   * Says that a revoke of the lease is being proposed: from here on it is neither renewed nor handed out. Without
   * effect on an unknown lease, and unless primary.
   */
  markRevoking(id: bigint): void;
  /**
   * Takes {@link Lessor.markRevoking} back. Only for a proposal that certainly has not been appended to the log: one
   * whose fate is not known may still be applied, and a renewal must not be acknowledged before that.
   */
  unmarkRevoking(id: bigint): void;
  /**
   * Takes over the rows of a store whose content was replaced, and demotes: keys hang on no lease until the key-value
   * store has been reloaded as well.
   *
   * @throws {@link LeaseError} `CORRUPT` if a row is damaged; then nothing has changed
   */
  reload(): void;
  /** Remaining TTLs that the log should know, for one command; none unless primary. */
  dueCheckpoints(nowMs: number, limit: number): LeaseCheckpoint[];
  /** What has been done. */
  readonly stats: LessorStats;
}

/** What a lessor has done since it was made; for metrics, read when asked. */
export interface LessorStats {
  /** Leases granted. */
  readonly granted: number;
  /** Leases revoked, those that ran out too. */
  readonly revoked: number;
  /** Renewals, of which only a primary has any. */
  readonly renewed: number;
  /** Leases that ran out while this lessor was primary. */
  readonly expired: number;
  /** TTLs that were granted, in seconds. */
  readonly ttls: Histogram;
}

/** The replicated state of one lease. */
interface Lease extends LeaseTerms {
  remainingTtlSec: number;
  /** The keys that hang on it; made for the first one, as many leases never have any. */
  keys: Set<string> | undefined;
}

class BackendLessor implements Lessor {
  readonly stats = {
    ...{ granted: 0, revoked: 0, renewed: 0, expired: 0 },
    ttls: new Histogram(exponentialBounds({ start: 1, factor: 2, count: 24 })),
  };
  readonly #rows: LeaseRows;
  readonly #minTtlSec: number;
  readonly #checkpointIntervalSec: number;
  readonly #persistsCheckpoints: () => boolean;
  #leases: Map<bigint, Lease>;
  /** Only a primary has times. */
  #times: LeaseTimes | undefined;

  constructor(options: LessorOptions) {
    const { backend, minTtlSec, checkpointIntervalSec = 300, persistsCheckpoints = () => true } = options;
    invariant(Number.isSafeInteger(minTtlSec) && minTtlSec >= 1, "the minimum TTL is a whole number >= 1", minTtlSec);
    invariant(checkpointIntervalSec > 0, "the checkpoint interval is positive", checkpointIntervalSec);
    this.#rows = new LeaseRows(backend);
    this.#minTtlSec = minTtlSec;
    this.#checkpointIntervalSec = checkpointIntervalSec;
    this.#persistsCheckpoints = persistsCheckpoints;
    this.#leases = this.#load();
  }

  reload(): void {
    this.#leases = this.#load();
    this.demote();
  }

  exists(id: bigint): boolean {
    return this.#leases.has(id);
  }

  attach(id: bigint, key: string): void {
    const lease = this.#lease(id);
    if (lease.keys === undefined) lease.keys = new Set([key]);
    else lease.keys.add(key);
  }

  detach(id: bigint, key: string): void {
    this.#leases.get(id)?.keys?.delete(key);
  }

  keysOf(id: bigint): string[] {
    return [...(this.#lease(id).keys ?? [])].sort();
  }

  grant({ id, ttlSec, nowMs }: LeaseGrant): { readonly ttlSec: number } {
    if (id === 0n) throw new LeaseError("NOT_FOUND", "Cannot grant lease 0: no lease has this id");
    if (ttlSec > BigInt(maxTtlSec)) {
      throw new LeaseError("TTL_TOO_LARGE", `Cannot grant lease ${id} for ${ttlSec} s: the maximum is ${maxTtlSec} s`);
    }
    if (this.#leases.has(id)) throw new LeaseError("EXISTS", `Cannot grant lease ${id}: it exists`);
    const grantedSec = Math.max(Number(ttlSec), this.#minTtlSec);
    const lease: Lease = { id, ttlSec: grantedSec, remainingTtlSec: 0, keys: undefined };
    this.#leases.set(id, lease);
    this.#store(lease);
    this.#times?.start(lease, { nowMs, extendMs: 0 });
    this.stats.granted++;
    this.stats.ttls.observe(grantedSec);
    return { ttlSec: grantedSec };
  }

  revoke(id: bigint): void {
    this.#lease(id);
    this.#times?.stop(id);
    this.#leases.delete(id);
    this.#rows.delete(id);
    this.stats.revoked++;
  }

  checkpoint({ ID, remainingTTL }: LeaseCheckpoint, nowMs: number): void {
    const lease = this.#lease(ID);
    lease.remainingTtlSec = remainingTTL;
    if (this.#persistsCheckpoints()) this.#store(lease);
    this.#times?.onCheckpoint(ID, nowMs);
  }

  get primary(): boolean {
    return this.#times !== undefined;
  }

  promote(nowMs: number, extendMs: number): void {
    const times = new LeaseTimes(this.#checkpointIntervalSec);
    for (const lease of this.#leases.values()) times.start(lease, { nowMs, extendMs });
    this.#times = times;
  }

  demote(): void {
    this.#times = undefined;
  }

  renew(id: bigint, nowMs: number): LeaseRenewal {
    const { ttlSec } = this.#lease(id);
    const times = this.#timesOrThrow();
    if (times.isRevoking(id)) throw new LeaseError("REVOKING", `Cannot renew lease ${id}: its revoke was proposed`);
    times.renew(id, nowMs);
    this.stats.renewed++;
    return { ttlSec, resetCheckpoint: times.isCheckpointed(id) };
  }

  timeToLive(id: bigint, nowMs: number): LeaseTimeToLive {
    const { ttlSec } = this.#lease(id);
    const remainingMs = this.#timesOrThrow().expiryMs(id) - nowMs;
    return { remainingSec: Math.max(0, Math.floor(remainingMs / 1_000)), grantedTtlSec: ttlSec };
  }

  leases(): bigint[] {
    return this.#times?.ids() ?? [...this.#leases.keys()].sort(compareIds);
  }

  expired(nowMs: number, limit: number): bigint[] {
    return this.#times?.expired(nowMs, limit) ?? [];
  }

  markRevoking(id: bigint): void {
    if (!this.exists(id) || this.#times === undefined) return;
    this.#times.markRevoking(id);
    this.stats.expired++;
  }

  unmarkRevoking(id: bigint): void {
    if (this.exists(id)) this.#times?.unmarkRevoking(id);
  }

  dueCheckpoints(nowMs: number, limit: number): LeaseCheckpoint[] {
    return this.#times?.dueCheckpoints(nowMs, limit) ?? [];
  }

  #load(): Map<bigint, Lease> {
    const leases = new Map<bigint, Lease>();
    for (const { ID, TTL, RemainingTTL } of this.#rows.all()) {
      const ttlSec = Math.max(TTL, this.#minTtlSec);
      leases.set(ID, { id: ID, ttlSec, remainingTtlSec: RemainingTTL, keys: undefined });
    }
    return leases;
  }

  #lease(id: bigint): Lease {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw new LeaseError("NOT_FOUND", `There is no lease ${id}`);
    return lease;
  }

  #timesOrThrow(): LeaseTimes {
    if (this.#times === undefined) throw new LeaseError("NOT_PRIMARY", "Only the leader keeps the time of leases");
    return this.#times;
  }

  #store({ id, ttlSec, remainingTtlSec }: Lease): void {
    this.#rows.put({ ID: id, TTL: ttlSec, RemainingTTL: remainingTtlSec });
  }
}

/**
 * A lessor over the rows of a store, demoted. The keys of the leases are not in the rows: the key-value store attaches
 * them again while it is rebuilt.
 *
 * @throws {@link LeaseError} `CORRUPT` if a row is damaged
 */
export function createLessor(options: LessorOptions): Lessor {
  return new BackendLessor(options);
}
