/**
 * @module The leases of the source at the destination, under the same ids. Their holders renew them at the source until
 * they are told to go over, so it is here that they are renewed at the destination: as long as the source has a lease,
 * the destination's does not end before it.
 */
import { type Client, isConclaveError, type LeaseTimeToLive, sleep } from "@conclave/client";
import { messageOf } from "../commands/explain.ts";

/** Time to live of a lease that the source has lost meanwhile: its keys will be deleted by what comes next. */
const lostTtlSec = 60;
/** How often at most, and how seldom at most, leases are looked at. */
const lookMs = { min: 200, max: 1_000 } as const;
/** Leases that are asked for at a time. */
const concurrentMax = 32;

/** A lease at the destination. */
interface MirroredLease {
  /** When it ends unless it is renewed, by the monotonic clock. */
  endsMs: number;
  /** When the source is to be asked for it again. */
  lookMs: number;
}

/** What a mirror of leases works with. */
export interface LeaseMirrorPorts {
  readonly source: Client;
  readonly destination: Client;
  /** Told of what went wrong while leases were kept; the mirror goes on. */
  readonly onTrouble: (message: string) => void;
}

/**
 * The time to live of a lease at the destination, in seconds. A lease that somebody renews never has less than half of
 * its time left, and gets all of it, as it does when a leader changes; another one gets what is left, rounded up.
 */
export function mirroredTtl({ ttlSec, grantedTtlSec }: Pick<LeaseTimeToLive, "ttlSec" | "grantedTtlSec">): number {
  if (ttlSec <= 0) return lostTtlSec;
  return ttlSec * 2 >= grantedTtlSec ? grantedTtlSec : ttlSec + 1;
}

/** The leases of one migration. */
export class LeaseMirror {
  readonly #ports: LeaseMirrorPorts;
  readonly #leases = new Map<bigint, MirroredLease>();

  constructor(ports: LeaseMirrorPorts) {
    this.#ports = ports;
  }

  /** Makes all leases of the source at the destination, and renews those that are there; returns their ids. */
  async sync(): Promise<readonly bigint[]> {
    const ids = await this.#ports.source.lease.list();
    await this.#each(ids, (id) => (this.#leases.has(id) ? this.#look(id) : this.ensure(id)));
    return ids;
  }

  /** Makes sure that the destination has a lease before a key is put under it. Zero is none. */
  async ensure(id: bigint): Promise<void> {
    if (id === 0n || this.#leases.has(id)) return;
    const left = await this.#ports.source.lease.timeToLive(id);
    this.#note(id, await this.#make(id, mirroredTtl(left)));
  }

  /** Makes a lease again that the destination has lost. */
  async restore(id: bigint): Promise<void> {
    this.#leases.delete(id);
    await this.ensure(id);
  }

  /** Keeps them until the signal aborts. */
  async keep(signal: AbortSignal): Promise<void> {
    const { scheduler } = this.#ports.destination.ports;
    while (await sleep(scheduler, this.#untilNextLookMs(), signal)) {
      const nowMs = this.#nowMs();
      const due = [...this.#leases].filter(([, lease]) => lease.lookMs <= nowMs).map(([id]) => id);
      await this.#each(due, (id) => this.#look(id));
    }
  }

  /** Renews at the destination what the source has renewed. */
  async #look(id: bigint): Promise<void> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const nowMs = this.#nowMs();
    lease.lookMs = nowMs + lookMs.max;
    try {
      const { ttlSec } = await this.#ports.source.lease.timeToLive(id);
      if (ttlSec <= 0) this.#leases.delete(id);
      else if (nowMs + ttlSec * 1_000 <= lease.endsMs) lease.lookMs = this.#nextLookMs(lease.endsMs);
      else this.#note(id, (await this.#ports.destination.lease.keepAliveOnce(id)).ttlSec);
    } catch (error) {
      if (isConclaveError(error, "LEASE_NOT_FOUND")) this.#leases.delete(id);
      this.#ports.onTrouble(`could not keep lease ${id.toString(16)} at the destination: ${messageOf(error)}`);
    }
  }

  /** Grants a lease, or renews the one that an earlier run has granted; returns its time to live. */
  async #make(id: bigint, ttlSec: number): Promise<number> {
    const { lease } = this.#ports.destination;
    try {
      return (await lease.grant({ id, ttlSec })).ttlSec;
    } catch (error) {
      if (!isConclaveError(error, "LEASE_EXISTS")) throw error;
      return (await lease.keepAliveOnce(id)).ttlSec;
    }
  }

  #note(id: bigint, ttlSec: number): void {
    const endsMs = this.#nowMs() + ttlSec * 1_000;
    this.#leases.set(id, { endsMs, lookMs: this.#nextLookMs(endsMs) });
  }

  /** Two more looks before it ends. */
  #nextLookMs(endsMs: number): number {
    const nowMs = this.#nowMs();
    return nowMs + Math.max(lookMs.min, (endsMs - nowMs) / 3);
  }

  #untilNextLookMs(): number {
    let next = this.#nowMs() + lookMs.max;
    for (const lease of this.#leases.values()) next = Math.min(next, lease.lookMs);
    return Math.max(lookMs.min, next - this.#nowMs());
  }

  async #each(ids: readonly bigint[], work: (id: bigint) => Promise<void>): Promise<void> {
    for (let at = 0; at < ids.length; at += concurrentMax)
      await Promise.all(ids.slice(at, at + concurrentMax).map(work));
  }

  #nowMs(): number {
    return this.#ports.destination.ports.clock.monotonicMs();
  }
}
