/**
 * @module The keep-alive stream that all leases of a client share.
 *
 * Each lease is renewed every third of its TTL. The answers to one lease come in the order of its requests, so
 * the time a request was sent is known when its answer comes: that time, not the answer's, is when the renewed
 * TTL begins. A stream whose oldest request waits a third of a TTL is given up for another member.
 */
import type { Timer } from "@conclave/base";
import type { LeaseKeepAliveRequest } from "@conclave/protocol/etcdserverpb";
import { type Backoff, fullJitterMs } from "../calls/backoff.ts";
import { leaseKeepAliveMethod } from "../calls/methods.ts";
import { openRpcStream, type RpcStream, streamError } from "../calls/rpc-stream.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { ConclaveError } from "../conclave-error.ts";
import { requireLeader } from "../transport/transport.ts";

/** One answer to a keep-alive. */
export interface Renewal {
  /** The TTL the member granted, in seconds; it may be longer than what was asked for. */
  readonly ttlSec: number;
  /** When the request was sent, by the client's clock: the TTL runs from then at the latest. */
  readonly sentAtMs: number;
  /** Whether the thread of `SessionOptions.renewer` made it, and not the main loop. Default: the main loop. */
  readonly byThread?: boolean;
}

/** Who hears about one lease. */
export interface KeepAliveSink {
  /** Whether the lease may be renewed now; asked before each request. Default: always. */
  mayRenew?(): boolean;
  /** The lease lives. */
  onRenewed(renewal: Renewal): void;
  /** The lease is gone; called once, and last. */
  onGone(): void;
}

/** A lease in the loop. */
interface Member {
  readonly lease: bigint;
  readonly sink: KeepAliveSink;
  /** When the requests that wait for their answers were sent, on the present stream. */
  readonly sentAtMs: number[];
  ttlMs: number;
  timer: Timer | undefined;
}

const reconnectBackoff: Backoff = { firstMs: 100, maxMs: 1_000 };

/** Keeps leases alive until they are removed. */
export class KeepAliveLoop {
  readonly #ports: CallPorts;
  readonly #members = new Map<bigint, Member>();
  #stream: RpcStream<LeaseKeepAliveRequest> | undefined;
  #endpoint = "";
  #failures = 0;
  #lastError: ConclaveError | undefined;
  #reconnect: Timer | undefined;

  /** @param ports - what the client is made of */
  constructor(ports: CallPorts) {
    this.#ports = ports;
  }

  /** How many leases are kept alive. */
  get size(): number {
    return this.#members.size;
  }

  /** Why the last stream ended; undefined since a renewal has been answered. */
  get lastError(): ConclaveError | undefined {
    return this.#lastError;
  }

  /**
   * Renews a lease from now on.
   *
   * @param lease - the lease, not yet in the loop
   * @param ttlSec - its TTL as far as it is known
   * @param sink - who hears about it
   * @returns stops renewing it
   */
  add(lease: bigint, ttlSec: number, sink: KeepAliveSink): () => void {
    const member: Member = { lease, sink, sentAtMs: [], ttlMs: ttlSec * 1_000, timer: undefined };
    this.#members.set(lease, member);
    // The first renewal is spread, so that sessions made together do not renew together for ever.
    this.#schedule(member, (member.ttlMs / 3) * (0.5 + this.#ports.random.fraction() / 2));
    this.#ensureStream();
    return () => this.#remove(member);
  }

  /** Stops everything. */
  close(): void {
    for (const member of [...this.#members.values()]) this.#remove(member);
  }

  #remove(member: Member): void {
    if (this.#members.get(member.lease) !== member) return;
    this.#members.delete(member.lease);
    member.timer?.cancel();
    if (this.#members.size === 0) this.#dropStream();
  }

  #schedule(member: Member, delayMs: number): void {
    member.timer?.cancel();
    member.timer = this.#ports.scheduler.after(delayMs, () => this.#onDue(member));
  }

  #onDue(member: Member): void {
    // After a pause of the process the answers are waiting in the socket: they are read before anyone judges.
    this.#ports.scheduler.atTurnEnd(() => {
      if (this.#members.get(member.lease) !== member) return;
      const oldest = member.sentAtMs[0];
      const waitedMs = oldest === undefined ? 0 : this.#ports.clock.monotonicMs() - oldest;
      if (waitedMs >= member.ttlMs / 3) this.#onStreamEnd(this.#silence(waitedMs));
      else this.#send(member);
      this.#schedule(member, member.ttlMs / 3);
    });
  }

  #send(member: Member): void {
    if (this.#stream === undefined || member.sink.mayRenew?.() === false) return;
    member.sentAtMs.push(this.#ports.clock.monotonicMs());
    this.#stream.send({ ID: member.lease });
  }

  #ensureStream(): void {
    if (this.#stream !== undefined || this.#reconnect !== undefined || this.#members.size === 0) return;
    const { transport, pool } = this.#ports;
    const endpoint = pool.pick();
    this.#endpoint = endpoint;
    const stream = openRpcStream(
      leaseKeepAliveMethod,
      { transport, endpoint, metadata: requireLeader },
      {
        onMessage: ({ ID, TTL }) => {
          if (this.#stream === stream) this.#onAnswer(ID, TTL);
        },
        onEnd: (error) => {
          if (this.#stream === stream) this.#onStreamEnd(streamError(error));
        },
      },
    );
    this.#stream = stream;
  }

  #onAnswer(lease: bigint, ttlSec: number): void {
    this.#failures = 0;
    this.#lastError = undefined;
    this.#ports.pool.succeeded(this.#endpoint);
    const member = this.#members.get(lease);
    const sentAtMs = member?.sentAtMs.shift();
    if (member === undefined || sentAtMs === undefined) return;
    if (ttlSec <= 0) {
      this.#remove(member);
      member.sink.onGone();
      return;
    }
    if (member.ttlMs !== ttlSec * 1_000) {
      member.ttlMs = ttlSec * 1_000;
      this.#schedule(member, member.ttlMs / 3);
    }
    member.sink.onRenewed({ ttlSec, sentAtMs });
  }

  /** The stream has failed, or went silent: asks another member, for all leases at once. */
  #onStreamEnd(error: ConclaveError): void {
    this.#dropStream();
    this.#lastError = error;
    this.#ports.pool.failed(this.#endpoint);
    this.#failures++;
    if (this.#members.size === 0) return;
    const delayMs = fullJitterMs(this.#ports.random, reconnectBackoff, this.#failures);
    this.#reconnect = this.#ports.scheduler.after(delayMs, () => {
      this.#reconnect = undefined;
      this.#ensureStream();
      for (const member of this.#members.values()) this.#send(member);
    });
  }

  #silence(waitedMs: number): ConclaveError {
    const message = `${this.#endpoint} has not answered a keep-alive for ${Math.round(waitedMs)} ms`;
    return new ConclaveError("UNAVAILABLE", message, { retryable: true });
  }

  #dropStream(): void {
    this.#reconnect?.cancel();
    this.#reconnect = undefined;
    this.#stream?.cancel();
    this.#stream = undefined;
    for (const member of this.#members.values()) member.sentAtMs.length = 0;
  }
}
