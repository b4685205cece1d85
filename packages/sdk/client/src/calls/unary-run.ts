/**
 * @module One call with its tries. Reads and idempotent calls are tried again on another member after a failure
 * that may pass; a mutation only if the failed try provably changed nothing.
 */
import type { Clock, Random, Scheduler } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import pRetry from "p-retry";
import { ConclaveError, type FailedAttempt } from "../conclave-error.ts";
import type { ConclaveErrorCode, FailureKind } from "../error-codes.ts";
import { traceCall } from "../observe/call-tracing.ts";
import type { ClientStatus } from "../observe/client-status.ts";
import type { EndpointPool } from "../transport/endpoint-pool.ts";
import { type ClientTransport, plainMetadata, requireLeader, TransportError } from "../transport/transport.ts";
import { type Backoff, fullJitterMs } from "./backoff.ts";
import { type CallOptions, CallScope, sleep } from "./call-scope.ts";
import { exchange } from "./exchange.ts";
import { failureKind } from "./failure.ts";
import { checkSize, type RequestLimits } from "./limits.ts";
import type { RpcMethod } from "./rpc-method.ts";

/** What repeating a call does: nothing ever, perhaps harm, or no more than the first time. */
export type Effect = "read" | "mutation" | "idempotent";

/** How to make a call. */
export interface CallPlan<Response> extends CallOptions {
  /** Whether the call may be repeated. */
  readonly effect: Effect;
  /** The member to ask; default: the pool's choice, another one after a failure. */
  readonly endpoint?: string | undefined;
  /** Whether a member that knows no leader should refuse at once; default: true. */
  readonly requireLeader?: boolean | undefined;
  /** Looks at a response and may find it no good, to be asked for again. */
  readonly check?: ((response: Response) => ConclaveError | undefined) | undefined;
}

/** What calls are made with. */
export interface CallPorts {
  /** Tells the time. */
  readonly clock: Clock;
  /** Draws the delays. */
  readonly random: Random;
  /** Waits. */
  readonly scheduler: Scheduler;
  /** Moves the bytes. */
  readonly transport: ClientTransport;
  /** Chooses the members. */
  readonly pool: EndpointPool;
  /** Aborts when the client is closed. */
  readonly closed: AbortSignal;
  /** The patience of a call that says nothing about it. */
  readonly timeoutMs: number;
  /** What members take at most. */
  readonly limits: RequestLimits;
  /** Hears what happens to the client. */
  readonly onStatus: (status: ClientStatus) => void;
}

const attemptsMax = 12;
const backoff: Backoff = { firstMs: 50, maxMs: 1_000 };
const attemptsReported = 8;
/** A try that can be repeated elsewhere gives up early, but not earlier than this. */
const attemptTimeoutMsMin = 1_000;

/** Failures that say something about the member asked, rather than about the request. */
const endpointFaults: ReadonlySet<ConclaveErrorCode> = new Set<ConclaveErrorCode>([
  "UNAVAILABLE",
  "TIMEOUT",
  "SERVER_TIMEOUT",
  "NO_LEADER",
  "STOPPED",
  "UNHEALTHY",
  "CORRUPT",
  "CANCELED",
  "INTERNAL",
  "NOT_SUPPORTED_FOR_LEARNER",
]);

/** Makes a call and, where that is safe, makes it again until it succeeds, its time is up or the tries are. */
export async function runUnary<Request, Response>(
  ports: CallPorts,
  method: RpcMethod<Request, Response>,
  request: Request,
  plan: CallPlan<Response>,
): Promise<Response> {
  using scope = new CallScope(ports, { signal: plan.signal, timeoutMs: plan.timeoutMs ?? ports.timeoutMs });
  scope.throwIfEnded(method.name);
  const bytes = method.encode(request);
  if (plan.effect !== "read") checkSize(method.name, bytes.length, ports.limits);
  return await traceCall(method.name, (noteEndpoint) => {
    const run = new UnaryRun(ports, method, bytes, { ...plan, noteEndpoint }, scope);
    const first = run.attempt();
    return first.catch(() => retry(run, first));
  });
}

/** The tries after the first one, which has failed. Most calls need none, and none of what it takes to repeat them. */
function retry<Response>(run: UnaryRun<unknown, Response>, first: Promise<Response>): Promise<Response> {
  return pRetry((attempt) => (attempt === 1 ? first : run.attempt()), {
    retries: attemptsMax - 1,
    minTimeout: 0,
    shouldRetry: ({ retriesConsumed }) => run.waitForRetry(retriesConsumed + 1),
  });
}

/** A plan whose tries are traced, if anybody listens. */
interface TracedPlan<Response> extends CallPlan<Response> {
  readonly noteEndpoint: ((endpoint: string) => void) | undefined;
}

class UnaryRun<Request, Response> {
  readonly #ports: CallPorts;
  readonly #method: RpcMethod<Request, Response>;
  readonly #bytes: Uint8Array;
  readonly #plan: TracedPlan<Response>;
  readonly #scope: CallScope;
  readonly #failed: FailedAttempt[] = [];
  #lastError: ConclaveError | undefined;
  #maybeApplied = false;
  #mayRetry = false;

  constructor(
    ports: CallPorts,
    method: RpcMethod<Request, Response>,
    bytes: Uint8Array,
    plan: TracedPlan<Response>,
    scope: CallScope,
  ) {
    this.#ports = ports;
    this.#method = method;
    this.#bytes = bytes;
    this.#plan = plan;
    this.#scope = scope;
  }

  async attempt(): Promise<Response> {
    this.#mayRetry = false;
    const { pool } = this.#ports;
    const endpoint = this.#plan.endpoint ?? pool.pick();
    this.#plan.noteEndpoint?.(endpoint);
    const timeoutMs = this.#attemptTimeoutMs();
    // A try that has all the time there is needs no clock of its own.
    using tryScope = timeoutMs < this.#scope.remainingMs ? this.#tryScope(timeoutMs) : undefined;
    try {
      const response = this.#decode(await this.#send(endpoint, timeoutMs, tryScope ?? this.#scope));
      const flaw = this.#plan.check?.(response);
      if (flaw !== undefined) throw this.#onFlaw(flaw, endpoint);
      pool.succeeded(endpoint);
      return response;
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      if (this.#scope.end !== undefined) throw this.#endError(error.sent);
      throw this.#onFailure(tryScope?.end === "timeout" ? silent(error, timeoutMs) : error, endpoint);
    }
  }

  #tryScope(timeoutMs: number): CallScope {
    const { clock, scheduler } = this.#ports;
    return new CallScope({ clock, scheduler, closed: this.#scope }, { timeoutMs });
  }

  /** Decides whether to try again, and waits until then. */
  async waitForRetry(failures: number): Promise<boolean> {
    if (!this.#mayRetry) return false;
    const delayMs = fullJitterMs(this.#ports.random, backoff, failures);
    // Rather the error that is known than a timeout later.
    if (delayMs >= this.#scope.remainingMs) return false;
    if (!(await sleep(this.#ports.scheduler, delayMs, this.#scope))) throw this.#endError(false);
    return true;
  }

  #send(endpoint: string, timeoutMs: number, signal: CallScope): Promise<Uint8Array> {
    const { transport } = this.#ports;
    const call = {
      endpoint,
      path: this.#method.path,
      request: this.#bytes,
      metadata: this.#plan.requireLeader === false ? plainMetadata : requireLeader,
      timeoutMs,
      signal,
    };
    return this.#method.streaming ? exchange(transport, call) : transport.unary(call);
  }

  #decode(bytes: Uint8Array): Response {
    try {
      return this.#method.decode(bytes);
    } catch (cause) {
      throw new TransportError(GrpcStatus.Internal, `malformed response of ${bytes.length} bytes`, { cause });
    }
  }

  /** Where another member can be asked, one that is silent gets half of the time that is left. */
  #attemptTimeoutMs(): number {
    const { remainingMs } = this.#scope;
    if (this.#plan.effect === "mutation" || this.#plan.endpoint !== undefined || this.#ports.pool.size === 1)
      return remainingMs;
    return Math.min(remainingMs, Math.max(attemptTimeoutMsMin, remainingMs / 2));
  }

  #onFlaw(flaw: ConclaveError, endpoint: string): ConclaveError {
    this.#ports.pool.failed(endpoint);
    this.#note(endpoint, flaw.message);
    this.#mayRetry = true;
    return flaw;
  }

  #onFailure(error: TransportError, endpoint: string): ConclaveError {
    const kind = failureKind(error);
    if (endpointFaults.has(kind.code)) this.#ports.pool.failed(endpoint);
    else this.#ports.pool.succeeded(endpoint);
    this.#note(endpoint, error.message);
    const mutates = this.#plan.effect !== "read";
    if (mutates && kind.maybeApplied) this.#maybeApplied = true;
    this.#mayRetry = kind.transient && (this.#plan.effect !== "mutation" || !kind.maybeApplied);
    const plain = this.#plainError(kind, error);
    // A try that ran out of time before it left tells nothing new: the error before it is the one to show.
    if (this.#lastError === undefined || error.sent || kind.code !== "TIMEOUT") this.#lastError = plain;
    const fateUnknown = mutates && (kind.maybeApplied || (kind.transient && this.#maybeApplied));
    return fateUnknown ? this.#unknownOutcome(this.#lastError) : this.#lastError;
  }

  #plainError(kind: FailureKind, error: TransportError): ConclaveError {
    return new ConclaveError(kind.code, error.message, {
      cause: error,
      retryable: kind.transient && !this.#maybeApplied,
      maybeApplied: this.#maybeApplied,
      grpcStatus: error.status,
      details: this.#details(),
    });
  }

  /**
   * The error now that the time is up, or the caller or the client's owner wants no more.
   *
   * @param sent - whether a try was under way that may have reached a member
   */
  #endError(sent: boolean): ConclaveError {
    if (sent && this.#plan.effect !== "read") this.#maybeApplied = true;
    const ended = this.#scope.error(this.#method.name);
    if (ended.code === "TIMEOUT" && !sent && !this.#maybeApplied && this.#lastError !== undefined)
      return this.#lastError;
    if (ended.code === "TIMEOUT" && this.#maybeApplied) return this.#unknownOutcome(ended);
    return new ConclaveError(ended.code, ended.message, {
      cause: ended.code === "ABORTED" ? ended.cause : this.#lastError,
      retryable: ended.retryable,
      maybeApplied: this.#maybeApplied,
      details: this.#details(),
    });
  }

  #unknownOutcome(cause: ConclaveError): ConclaveError {
    const message = `The outcome of ${this.#method.name} is unknown: ${cause.message}`;
    return new ConclaveError("OUTCOME_UNKNOWN", message, {
      cause,
      maybeApplied: true,
      ...(cause.grpcStatus === undefined ? {} : { grpcStatus: cause.grpcStatus }),
      details: this.#details(),
    });
  }

  #details() {
    return { method: this.#method.name, attempts: [...this.#failed] };
  }

  #note(endpoint: string, message: string): void {
    this.#failed.push({ endpoint, message });
    if (this.#failed.length > attemptsReported) this.#failed.shift();
  }
}

function silent(error: TransportError, timeoutMs: number): TransportError {
  const message = `no answer within ${Math.round(timeoutMs)} ms`;
  return new TransportError(GrpcStatus.DeadlineExceeded, message, { cause: error, sent: error.sent });
}
