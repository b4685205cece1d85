import type { Clock } from "@conclave/base";
import type { Lessor } from "@conclave/lease";
import { WireError } from "@conclave/protocol";
import type { CommandKind, CommandRequest, CommandResponse } from "../apply/commands.ts";

/** What expiry needs of a member. */
export interface LeaseExpiryPorts {
  readonly lessor: Lessor;
  readonly ports: { readonly clock: Clock };
  readonly settings: { readonly leaseCheckpoints?: boolean };
  /** The term in which this member leads and has applied everything that was committed before; else undefined. */
  readonly leaderTerm: number | undefined;
  /** Waits until a quorum has confirmed that this member still leads; undefined if it needs nobody for that. */
  confirmLeadership(): Promise<void> | undefined;
  /** Proposes as the leader or not at all. */
  proposeAsLeader<K extends CommandKind>(kind: K, request: CommandRequest<K>): Promise<CommandResponse<K>>;
}

/** Leases revoked in one check: a mass expiry is spread instead of flooding the log. */
const revokesPerCheck = 500;
/** Remaining TTLs in one checkpoint command, as in etcd. */
const checkpointsPerCheck = 1000;
/** A check later than this means that the process was stopped; renewals may be waiting in the sockets. */
const stallMs = 250;

/**
 * Ends leases that were not renewed in time, and lets the log know from time to time how much of long ones is left. Only
 * a leader that a quorum has confirmed does, only through the log, and its proposals are never forwarded to another.
 */
export class LeaseExpiry {
  /** Milliseconds between two checks. */
  static readonly intervalMs = 500;
  readonly #member: LeaseExpiryPorts;

  constructor(member: LeaseExpiryPorts) {
    this.#member = member;
  }

  /**
   * Looks for leases that have run out.
   *
   * @param stalledMs - by how much this check is late. After a stall the round is left out, so that renewals that
   * came in meanwhile are read first
   */
  check(stalledMs: number): void {
    const { lessor, ports, leaderTerm } = this.#member;
    if (stalledMs > stallMs || leaderTerm === undefined) return;
    if (this.#member.settings.leaseCheckpoints !== false) this.#checkpoint();
    const overdue = lessor.expired(ports.clock.monotonicMs(), revokesPerCheck);
    if (overdue.length === 0) return;
    const confirmed = this.#member.confirmLeadership();
    if (confirmed === undefined) this.#revoke(overdue, leaderTerm);
    // Leadership that is not confirmed is no longer there, or will be asked for at a later check.
    else
      confirmed.then(
        () => this.#revoke(overdue, leaderTerm),
        () => {},
      );
  }

  #revoke(overdue: readonly bigint[], term: number): void {
    const { lessor } = this.#member;
    if (this.#member.leaderTerm !== term) return;
    for (const id of overdue) {
      if (!this.#isOverdue(id)) continue;
      lessor.markRevoking(id);
      this.#member.proposeAsLeader("leaseRevoke", { ID: id }).catch((error: unknown) => {
        // Any other refusal means that the lease is gone, or will be when the entry is applied, or that leadership is.
        if (isNeverAppended(error)) lessor.unmarkRevoking(id);
      });
    }
  }

  /** A lease may have been renewed, or be gone, while leadership was being confirmed. */
  #isOverdue(id: bigint): boolean {
    const { lessor, ports } = this.#member;
    return lessor.exists(id) && lessor.timeToLive(id, ports.clock.monotonicMs()).remainingSec === 0;
  }

  #checkpoint(): void {
    const { lessor, ports } = this.#member;
    const checkpoints = lessor.dueCheckpoints(ports.clock.monotonicMs(), checkpointsPerCheck);
    // One that is lost only lengthens the lease for the next leader; it comes due again.
    if (checkpoints.length > 0) this.#member.proposeAsLeader("leaseCheckpoint", { checkpoints }).catch(() => {});
  }
}

/** Whether a proposal was refused before it came into the log, so that it cannot be applied later. */
function isNeverAppended(error: unknown): boolean {
  return error instanceof WireError && (error.code === "RequestTooManyRequests" || error.code === "NotLeader");
}
