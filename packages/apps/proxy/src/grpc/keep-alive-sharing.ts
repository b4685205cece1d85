/** @module Renewals of leases, shared between those who keep the same lease alive. */
import { GrpcStatus } from "@conclave/protocol";
import {
  LeaseDefinition,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
} from "@conclave/protocol/etcdserverpb";
import { RpcError } from "@conclave/rpc";
import type { Caller } from "./caller.ts";
import { type Upstream, type UpstreamStream, upstreamMethod } from "./upstream.ts";

const method = upstreamMethod(LeaseDefinition, LeaseDefinition.methods.leaseKeepAlive);

interface Waiter {
  readonly resolve: (response: LeaseKeepAliveResponse) => void;
  readonly reject: (error: RpcError) => void;
}

/** A lease of which a renewal is under way. */
interface Renewal {
  /** Those who asked before it was sent. */
  sent: Waiter[];
  /** Those who asked since: the answer to what was sent before would tell them of a time too late. */
  next: Waiter[];
}

/**
 * Renews leases. At most one renewal of a lease is under way for each caller; whoever asks meanwhile shares the next
 * one, so that no answer stands for a renewal that was sent before it was asked for.
 */
export class KeepAliveSharing {
  readonly #upstream: Upstream;
  readonly #channels = new Map<string, Channel>();

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /**
   * Renews a lease.
   *
   * @throws RpcError if the stream to the member ends before its answer
   */
  renew(caller: Caller, id: bigint): Promise<LeaseKeepAliveResponse> {
    let channel = this.#channels.get(caller.identity);
    if (channel === undefined) {
      channel = new Channel(this.#upstream, caller, () => this.#channels.delete(caller.identity));
      this.#channels.set(caller.identity, channel);
    }
    return channel.renew(id);
  }

  /** Ends every stream. */
  close(): void {
    for (const channel of [...this.#channels.values()]) channel.close();
  }
}

/** How long a stream stays open without a renewal, in milliseconds. */
const idleMsMax = 30_000;

/** The renewals of one caller, on one stream. */
class Channel {
  readonly #renewals = new Map<bigint, Renewal>();
  readonly #stream: UpstreamStream<LeaseKeepAliveRequest>;
  readonly #onGone: () => void;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(upstream: Upstream, caller: Caller, onGone: () => void) {
    this.#onGone = onGone;
    this.#stream = upstream.openStream(method, caller, {
      onResponse: (response) => this.#answered(response),
      onEnd: (error) => this.#fail(error ?? new RpcError(GrpcStatus.Unavailable, "the member ended the stream")),
    });
  }

  renew(id: bigint): Promise<LeaseKeepAliveResponse> {
    clearTimeout(this.#idleTimer);
    return new Promise((resolve, reject) => {
      const renewal = this.#renewals.get(id);
      if (renewal !== undefined) {
        renewal.next.push({ resolve, reject });
        return;
      }
      this.#renewals.set(id, { sent: [{ resolve, reject }], next: [] });
      this.#stream.send({ ID: id });
    });
  }

  close(): void {
    this.#stream.cancel();
    this.#fail(new RpcError(GrpcStatus.Unavailable, "the proxy is stopping"));
  }

  #answered(response: LeaseKeepAliveResponse): void {
    const renewal = this.#renewals.get(response.ID);
    if (renewal === undefined) return;
    const { sent, next } = renewal;
    if (next.length > 0) {
      renewal.sent = next;
      renewal.next = [];
      this.#stream.send({ ID: response.ID });
    } else this.#renewals.delete(response.ID);
    for (const waiter of sent) waiter.resolve(response);
    if (this.#renewals.size === 0) this.#idleTimer = setTimeout(() => this.close(), idleMsMax).unref();
  }

  #fail(error: RpcError): void {
    clearTimeout(this.#idleTimer);
    this.#onGone();
    const renewals = [...this.#renewals.values()];
    this.#renewals.clear();
    for (const { sent, next } of renewals) for (const waiter of [...sent, ...next]) waiter.reject(error);
  }
}
