/**
 * @module What only the leader knows of leases, their time: renewing them and telling how much is left. A member that
 * does not lead asks the one that does.
 */
import { binaryStringBytes } from "@conclave/base";
import { LeaseError } from "@conclave/lease";
import { WireError } from "@conclave/protocol";
import type { LeaseTimeToLiveRequest, LeaseTimeToLiveResponse } from "@conclave/protocol/etcdserverpb";
import type { Member } from "../member.ts";
import { toWireError } from "../wire-error-mapping.ts";

/** How long a call to the leader may take before who leads is looked at again. */
const callTimeoutMs = 1000;
/** Time between two tries. */
const retryMs = 50;

/** Keeps the leases of one member's clients, wherever the leader is. */
export class LeaseKeeper {
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  /**
   * Renews a lease. At once if this member needs nobody's word for that.
   *
   * @returns the TTL in seconds
   * @throws WireError `LeaseNotFound`, `Timeout` if no leader could be asked in time, or `Stopped`
   */
  renew(id: bigint): number | Promise<number> {
    const { isConfirmedLeader, lessor, ports } = this.#member;
    if (isConfirmedLeader && this.#member.confirmsItself) return this.#renewed(id, lessor, ports.clock.monotonicMs());
    return this.#atLeader(
      () => this.renewHere(id),
      (call) => this.#member.ports.peers.renewLease(call, id),
    );
  }

  /**
   * Renews a lease as its leader.
   *
   * @throws WireError `LeaseNotFound`, or `NotLeader` if this member does not lead, or not any more
   */
  async renewHere(id: bigint): Promise<number> {
    await this.#confirmed();
    const { lessor, ports } = this.#member;
    return this.#renewed(id, lessor, ports.clock.monotonicMs());
  }

  /** Tells the time a lease has left; errors as for {@link LeaseKeeper.renew}. */
  timeToLive(request: LeaseTimeToLiveRequest): Promise<LeaseTimeToLiveResponse> {
    return this.#atLeader(
      () => this.timeToLiveHere(request),
      (call) => this.#member.ports.peers.leaseTimeToLive(call, request),
    );
  }

  /** Tells the time a lease has left as its leader; errors as for {@link LeaseKeeper.renewHere}. */
  async timeToLiveHere({ ID, keys }: LeaseTimeToLiveRequest): Promise<LeaseTimeToLiveResponse> {
    await this.#confirmed();
    const { lessor, ports } = this.#member;
    try {
      const { remainingSec, grantedTtlSec } = lessor.timeToLive(ID, ports.clock.monotonicMs());
      return {
        header: this.#member.header(),
        ID,
        TTL: remainingSec,
        grantedTTL: grantedTtlSec,
        keys: keys ? lessor.keysOf(ID).map(binaryStringBytes) : [],
      };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /** A leader that others have replaced without its knowledge must not prolong what they may have ended. */
  async #confirmed(): Promise<void> {
    const { leaderTerm } = this.#member;
    if (leaderTerm !== undefined) await this.#member.confirmLeadership();
    if (leaderTerm === undefined || this.#member.leaderTerm !== leaderTerm) throw new WireError("NotLeader");
  }

  #renewed(id: bigint, lessor: Member["lessor"], nowMs: number): number | Promise<number> {
    try {
      const { ttlSec, resetCheckpoint } = lessor.renew(id, nowMs);
      if (!resetCheckpoint) return ttlSec;
      // A shorter remaining TTL is on record. It must go before the renewal counts, or the next leader would honour it.
      const checkpoints = [{ ID: id, remainingTTL: 0 }];
      return this.#member.propose("leaseCheckpoint", { checkpoints }).then(() => ttlSec);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /** Asks whoever leads, again and again until the time of a request is over. */
  async #atLeader<R>(
    here: () => Promise<R>,
    there: (call: { readonly urls: readonly string[]; readonly timeoutMs: number }) => Promise<R>,
  ): Promise<R> {
    const { ports, requestTimeoutMs } = this.#member;
    const deadlineMs = ports.clock.monotonicMs() + requestTimeoutMs;
    while (ports.clock.monotonicMs() < deadlineMs) {
      const { leader, id, membership } = this.#member;
      try {
        if (leader === id) return await here();
        const urls = membership.member(leader)?.peerUrls;
        if (urls !== undefined) return await there({ urls, timeoutMs: callTimeoutMs });
      } catch (error) {
        if (isFinal(error)) throw error;
      }
      await new Promise<void>((resolve) => void ports.scheduler.after(retryMs, resolve));
    }
    throw new WireError("Timeout");
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof WireError && (error.code === "LeaseNotFound" || error.code === "Stopped");
}

function refusalOf(error: unknown): unknown {
  // A lease whose revoke is on its way is gone to its holder; the time of a leader begins with its first entry.
  if (error instanceof LeaseError && error.code === "REVOKING") return new WireError("LeaseNotFound");
  if (error instanceof LeaseError && error.code === "NOT_PRIMARY") return new WireError("NotLeader");
  return toWireError(error) ?? error;
}
