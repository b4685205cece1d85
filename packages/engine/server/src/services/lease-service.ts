import { type Caller, nobody } from "@conclave/auth";
import { binaryStringBytes, emptyBytes } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import type {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseLeasesResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "@conclave/protocol/etcdserverpb";
import type { RequestStream, ResponseStream, ServerCall } from "@conclave/rpc";
import type { AccessControl } from "../auth/access-control.ts";
import { checkLeaseKeys } from "../auth/command-rules.ts";
import { randomLeaseId } from "../consensus/ids.ts";
import { LeaseKeeper } from "../leases/lease-keeper.ts";
import type { Member } from "../member.ts";
import type { Quota } from "../quota.ts";

/** The Lease service. Grants and revokes go through the log; renewals live on the leader alone. */
export class LeaseService {
  readonly #member: Member;
  readonly #keeper: LeaseKeeper;
  readonly #quota: Quota;
  readonly #access: AccessControl;

  constructor(member: Member, { quota, access }: { readonly quota: Quota; readonly access: AccessControl }) {
    this.#member = member;
    this.#access = access;
    this.#keeper = new LeaseKeeper(member);
    this.#quota = quota;
  }

  async leaseGrant(request: LeaseGrantRequest, call: ServerCall): Promise<LeaseGrantResponse> {
    const caller = this.#access.enabled
      ? await this.#access.permitCommand(call, { kind: "leaseGrant", request })
      : nobody;
    await this.#quota.admit(0);
    const ID = request.ID === 0n ? this.#freeId() : request.ID;
    return this.#member.propose("leaseGrant", { ID, TTL: request.TTL }, caller);
  }

  async leaseRevoke(request: LeaseRevokeRequest, call: ServerCall): Promise<LeaseRevokeResponse> {
    const caller = this.#access.enabled
      ? await this.#access.permitCommand(call, { kind: "leaseRevoke", request })
      : nobody;
    return this.#member.propose("leaseRevoke", request, caller);
  }

  leaseKeepAlive(
    requests: RequestStream<LeaseKeepAliveRequest>,
    out: ResponseStream<LeaseKeepAliveResponse>,
    call: ServerCall,
  ): Promise<void> {
    const reply = (ID: bigint, TTL: number): Promise<void> | undefined =>
      out.write({ header: this.#member.header(), ID, TTL }) ? undefined : out.drained();
    let username: Promise<string> | undefined;
    const onRequest = ({ ID }: LeaseKeepAliveRequest): Promise<void> | undefined => {
      if (!this.#access.enabled) return renew(ID);
      username ??= this.#permitRenewal(ID, call);
      return username
        .then((name) => this.#access.permitUser(name, (caller) => this.#checkRenewal(ID, caller)))
        .then(() => renew(ID));
    };
    const renew = (ID: bigint): Promise<void> | undefined => {
      const ttl = this.#renew(ID);
      return typeof ttl === "number" ? reply(ID, ttl) : ttl.then((TTL) => reply(ID, TTL));
    };
    return requests.forEach(onRequest);
  }

  async leaseTimeToLive(request: LeaseTimeToLiveRequest, call: ServerCall): Promise<LeaseTimeToLiveResponse> {
    if (this.#access.enabled) await this.#access.permit(call, (caller) => this.#member.auth.checkUser(caller));
    try {
      const response = await this.#keeper.timeToLive(request);
      if (this.#access.enabled) await this.#permitKeys(response.keys, call);
      return { ...response, header: this.#member.header() };
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return { header: this.#member.header(), ID: request.ID, TTL: -1, grantedTTL: 0, keys: [] };
    }
  }

  async leaseLeases(_request: LeaseLeasesRequest, call: ServerCall): Promise<LeaseLeasesResponse> {
    await this.#member.linearizable();
    const leases = this.#member.lessor.leases();
    if (this.#access.enabled) {
      const keys = leases.flatMap((id) => this.#member.lessor.keysOf(id)).map(binaryStringBytes);
      await this.#permitKeys(keys, call);
    }
    return { header: this.#member.header(), leases: leases.map((ID) => ({ ID })) };
  }

  /** Which keys hang on a lease is told to those who may read every one of them. */
  async #permitKeys(keys: readonly Uint8Array[], call: ServerCall): Promise<void> {
    const { auth } = this.#member;
    await this.#access.permit(call, (caller) => {
      auth.checkUser(caller);
      for (const key of keys) auth.checkKeys(caller, "read", { key, rangeEnd: emptyBytes });
    });
  }

  /** Who opens a stream of renewals, if he may renew the first of them. */
  async #permitRenewal(id: bigint, call: ServerCall): Promise<string> {
    const { username } = await this.#access.permit(call, (caller) => this.#checkRenewal(id, caller));
    return username;
  }

  #checkRenewal(id: bigint, caller: Caller): void {
    this.#member.auth.checkUser(caller);
    checkLeaseKeys(this.#member, id, caller);
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
