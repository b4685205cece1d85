import type { Clock } from "@conclave/base";
import type { Lessor } from "@conclave/lease";
import { WireError } from "@conclave/protocol";
import type { CommandKind, CommandRequest, CommandResponse } from "./commands.ts";

/** What expiry needs of a member. */
export interface LeaseExpiryPorts {
  readonly lessor: Lessor;
  readonly ports: { readonly clock: Clock };
  /** Whether this member leads and has applied everything that was committed before its term. */
  readonly isConfirmedLeader: boolean;
  propose<K extends CommandKind>(kind: K, request: CommandRequest<K>): Promise<CommandResponse<K>>;
}

/** Leases revoked in one check: a mass expiry is spread instead of flooding the log. */
const revokesPerCheck = 500;
/** A check later than this means that the process was stopped; renewals may be waiting in the sockets. */
const stallMs = 250;

/** Proposes the end of leases that were not renewed in time. Only a confirmed leader does, and only through the log. */
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
    const { lessor, ports } = this.#member;
    if (stalledMs > stallMs || !this.#member.isConfirmedLeader) return;
    for (const id of lessor.expired(ports.clock.monotonicMs(), revokesPerCheck)) {
      lessor.markRevoking(id);
      this.#member.propose("leaseRevoke", { ID: id }).catch((error: unknown) => {
        // Any other refusal means that the lease is gone, or will be when the entry is applied, or that leadership is.
        if (isNeverAppended(error)) lessor.unmarkRevoking(id);
      });
    }
  }
}

/** Whether a proposal was refused before it came into the log, so that it cannot be applied later. */
function isNeverAppended(error: unknown): boolean {
  return error instanceof WireError && (error.code === "RequestTooManyRequests" || error.code === "NoLeader");
}
