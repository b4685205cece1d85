import { binaryStringBytes } from "@conclave/base";
import { LeaseError } from "@conclave/lease";
import type {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "@conclave/protocol/etcdserverpb";
import type { RequestStream, ResponseStream } from "@conclave/rpc";
import { randomLeaseId } from "../ids.ts";
import type { Member } from "../member.ts";
import type { Quota } from "../quota.ts";
import { toWireError } from "../wire-error-mapping.ts";

/** The Lease service. Grants and revokes go through the log; renewals live on the leader alone. */
export class LeaseService {
  readonly #member: Member;
  readonly #quota: Quota;

  constructor(member: Member, quota: Quota) {
    this.#member = member;
    this.#quota = quota;
  }

  async leaseGrant(request: LeaseGrantRequest): Promise<LeaseGrantResponse> {
    await this.#quota.admit(0);
    const ID = request.ID === 0n ? this.#freeId() : request.ID;
    return this.#member.propose("leaseGrant", { ID, TTL: request.TTL });
  }

  leaseRevoke(request: LeaseRevokeRequest): Promise<LeaseRevokeResponse> {
    return this.#member.propose("leaseRevoke", request);
  }

  leaseKeepAlive(
    requests: RequestStream<LeaseKeepAliveRequest>,
    out: ResponseStream<LeaseKeepAliveResponse>,
  ): Promise<void> {
    const reply = (ID: bigint, TTL: number): Promise<void> | undefined =>
      out.write({ header: this.#member.header(), ID, TTL }) ? undefined : out.drained();
    const onRequest = ({ ID }: LeaseKeepAliveRequest): Promise<void> | undefined => {
      const ttl = this.#renew(ID);
      return typeof ttl === "number" ? reply(ID, ttl) : ttl.then((TTL) => reply(ID, TTL));
    };
    return requests.forEach(onRequest);
  }

  async leaseTimeToLive(request: LeaseTimeToLiveRequest): Promise<LeaseTimeToLiveResponse> {
    await this.#member.linearizable();
    const { lessor, ports } = this.#member;
    const header = this.#member.header();
    try {
      const { remainingSec, grantedTtlSec } = lessor.timeToLive(request.ID, ports.clock.monotonicMs());
      const keys = request.keys ? lessor.keysOf(request.ID).map(binaryStringBytes) : [];
      return { header, ID: request.ID, TTL: remainingSec, grantedTTL: grantedTtlSec, keys };
    } catch (error) {
      if (!isNotFound(error)) throw toWireError(error) ?? error;
      return { header, ID: request.ID, TTL: -1, grantedTTL: 0, keys: [] };
    }
  }

  async leaseLeases(): Promise<LeaseLeasesResponse> {
    await this.#member.linearizable();
    return { header: this.#member.header(), leases: this.#member.lessor.leases().map((ID) => ({ ID })) };
  }

  /** The TTL after a renewal; 0 for a lease that is gone. At once, unless the log has to be told. */
  #renew(id: bigint): number | Promise<number> {
    const { lessor, ports } = this.#member;
    try {
      const { ttlSec, resetCheckpoint } = lessor.renew(id, ports.clock.monotonicMs());
      if (!resetCheckpoint) return ttlSec;
      // A shorter remaining TTL is on record. It must go before the renewal counts, or the next leader would honour it.
      const checkpoints = [{ ID: id, remainingTTL: 0 }];
      return this.#member.propose("leaseCheckpoint", { checkpoints }).then(() => ttlSec);
    } catch (error) {
      if (isNotFound(error)) return 0;
      throw toWireError(error) ?? error;
    }
  }

  #freeId(): bigint {
    for (;;) {
      const id = randomLeaseId(this.#member.ports.random);
      if (!this.#member.lessor.exists(id)) return id;
    }
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof LeaseError && (error.code === "NOT_FOUND" || error.code === "REVOKING");
}
