/** @module Leases that run out on virtual time. */
import type { Clock, Scheduler } from "@conclave/base";
import {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  type ResponseHeader,
} from "@conclave/protocol/etcdserverpb";
import type { UnaryCall } from "../transport/transport.ts";
import type { FakeStream } from "./fake-network.ts";
import { wireFailure } from "./wire-failure.ts";

interface ModelLease {
  ttlSec: number;
  endsAtMs: number;
}

const header: ResponseHeader = { clusterId: 1n, memberId: 1n, revision: 0, raftTerm: 1 };

/** The leases of a cluster of models. */
export class ModelLessor {
  /** The shortest TTL it grants. */
  ttlSecMin = 1;
  /** How long a keep-alive travels, there and back, in milliseconds; the lease is renewed half way. */
  roundTripMs = 2;
  /** Whether keep-alives are answered, and renew. */
  answers = true;
  /** How many keep-alives were sent. */
  keepAlives = 0;
  readonly #leases = new Map<bigint, ModelLease>();
  readonly #time: Clock & Scheduler;

  constructor(time: Clock & Scheduler) {
    this.#time = time;
  }

  /** The leases that have not run out. */
  get live(): readonly bigint[] {
    return [...this.#leases.keys()].filter((id) => this.#alive(id) !== undefined);
  }

  /** Ends a lease, as another client might. */
  revoke(id: bigint): void {
    this.#leases.delete(id);
  }

  /** Grants this much from the next renewal on. */
  changeTtl(id: bigint, ttlSec: number): void {
    const lease = this.#leases.get(id);
    if (lease !== undefined) lease.ttlSec = ttlSec;
  }

  /** Answers the unary calls of the Lease service; undefined for any other. */
  unary(call: UnaryCall): Uint8Array | undefined {
    switch (call.path) {
      case "/etcdserverpb.Lease/LeaseGrant":
        return this.#grant(LeaseGrantRequest.decode(call.request));
      case "/etcdserverpb.Lease/LeaseRevoke":
        return this.#revoke(LeaseRevokeRequest.decode(call.request));
      default:
        return undefined;
    }
  }

  /** Serves a keep-alive stream. */
  keepAlive(stream: FakeStream): void {
    stream.onRequest = (bytes) => {
      const { ID } = LeaseKeepAliveRequest.decode(bytes);
      this.keepAlives++;
      if (!this.answers) return;
      this.#time.after(this.roundTripMs / 2, () => {
        const TTL = this.#renew(ID);
        this.#time.after(this.roundTripMs / 2, () =>
          stream.send(LeaseKeepAliveResponse.encode({ header, ID, TTL }).finish()),
        );
      });
    };
  }

  #grant({ TTL, ID }: LeaseGrantRequest): Uint8Array {
    if (this.#alive(ID) !== undefined) throw wireFailure("LeaseExist");
    const ttlSec = Math.max(Number(TTL), this.ttlSecMin);
    this.#leases.set(ID, { ttlSec, endsAtMs: this.#time.monotonicMs() + ttlSec * 1_000 });
    return LeaseGrantResponse.encode({ header, ID, TTL: ttlSec, error: "" }).finish();
  }

  #revoke({ ID }: LeaseRevokeRequest): Uint8Array {
    if (this.#alive(ID) === undefined) throw wireFailure("LeaseNotFound");
    this.#leases.delete(ID);
    return LeaseRevokeResponse.encode({ header }).finish();
  }

  #renew(id: bigint): number {
    const lease = this.#alive(id);
    if (lease === undefined) return 0;
    lease.endsAtMs = this.#time.monotonicMs() + lease.ttlSec * 1_000;
    return lease.ttlSec;
  }

  #alive(id: bigint): ModelLease | undefined {
    const lease = this.#leases.get(id);
    return lease !== undefined && lease.endsAtMs > this.#time.monotonicMs() ? lease : undefined;
  }
}
