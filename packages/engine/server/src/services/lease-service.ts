import { WireError } from "@conclave/protocol";
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
import { LeaseKeeper } from "../lease-keeper.ts";
import type { Member } from "../member.ts";
import type { Quota } from "../quota.ts";

/** The Lease service. Grants and revokes go through the log; renewals live on the leader alone. */
export class LeaseService {
  readonly #member: Member;
  readonly #keeper: LeaseKeeper;
  readonly #quota: Quota;

  constructor(member: Member, quota: Quota) {
    this.#member = member;
    this.#keeper = new LeaseKeeper(member);
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
    try {
      return { ...(await this.#keeper.timeToLive(request)), header: this.#member.header() };
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return { header: this.#member.header(), ID: request.ID, TTL: -1, grantedTTL: 0, keys: [] };
    }
  }

  async leaseLeases(): Promise<LeaseLeasesResponse> {
    await this.#member.linearizable();
    return { header: this.#member.header(), leases: this.#member.lessor.leases().map((ID) => ({ ID })) };
  }

  /** The TTL after a renewal; 0 for a lease that is gone. At once if the member can. */
  #renew(id: bigint): number | Promise<number> {
    try {
      const ttl = this.#keeper.renew(id);
      return typeof ttl === "number" ? ttl : ttl.catch(goneAsZero);
    } catch (error) {
      return goneAsZero(error);
    }
  }

  #freeId(): bigint {
    for (;;) {
      const id = randomLeaseId(this.#member.ports.random);
      if (!this.#member.lessor.exists(id)) return id;
    }
  }
}

function goneAsZero(error: unknown): number {
  if (isNotFound(error)) return 0;
  throw error;
}

function isNotFound(error: unknown): boolean {
  return error instanceof WireError && error.code === "LeaseNotFound";
}
