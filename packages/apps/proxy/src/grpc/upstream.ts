/** @module The way to the members: which one is asked, what becomes of failures, and the bounds on both sides. */
import type { ClientStream, ClientTransport } from "@conclave/client";
import { type Codec, GrpcStatus, WireError } from "@conclave/protocol";
import { RpcError } from "@conclave/rpc";
import type { Caller } from "./caller.ts";

/** A method of the protocol as it is called at a member. */
export interface UpstreamMethod<Request, Response> {
  /** Its path, as `/etcdserverpb.KV/Put`. */
  readonly path: string;
  /** Codec of the requests. */
  readonly requestType: Codec<Request>;
  /** Codec of the responses. */
  readonly responseType: Codec<Response>;
}

/** The method of a service. */
export function upstreamMethod<Request, Response>(
  service: { readonly fullName: string },
  method: { readonly name: string; readonly requestType: Codec<Request>; readonly responseType: Codec<Response> },
): UpstreamMethod<Request, Response> {
  const { name, requestType, responseType } = method;
  return { path: `/${service.fullName}/${name}`, requestType, responseType };
}

/** How a call is made. */
export interface UpstreamCallOptions {
  /** Who calls. */
  readonly caller: Caller;
  /** Ends the call. */
  readonly signal: AbortSignal;
  /** When the caller stops waiting, by `performance.now()`; undefined: never. */
  readonly deadlineMs?: number | undefined;
}

/** Who takes the responses of a stream. */
export interface UpstreamSink<Response> {
  /** Takes one response. */
  onResponse(response: Response): void;
  /** The stream has ended, in order if there is no error. Called once, and last; never after `cancel`. */
  onEnd(error: RpcError | undefined): void;
}

/** The proxy's end of a stream. */
export interface UpstreamStream<Request> {
  /** Sends a request. */
  send(request: Request): void;
  /** Says that no more requests follow. */
  halfClose(): void;
  /** Ends it; its sink hears nothing more. */
  cancel(): void;
  /** Takes no more responses until `resume`. */
  pause(): void;
  /** Takes responses again. */
  resume(): void;
}

/** What leads to the members. */
export interface UpstreamOptions {
  /** The members' addresses, at least one. */
  readonly endpoints: readonly string[];
  /** Moves the bytes. */
  readonly transport: ClientTransport;
  /** Longest request that is sent on, in bytes. */
  readonly maxSendBytes: number;
  /** Longest response that is taken, in bytes. */
  readonly maxRecvBytes: number;
  /** Calls with one response that may be under way; further ones are refused. */
  readonly callsMax: number;
}

/** The members behind the proxy. One is asked as long as it can be reached, then the next. */
export class Upstream {
  readonly #options: UpstreamOptions;
  #current = 0;
  #calls = 0;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** The member that is asked now. */
  get endpoint(): string {
    const { endpoints } = this.#options;
    return endpoints[this.#current % endpoints.length] ?? "";
  }

  /**
   * Makes a call with one request and one response. A member that cannot be reached is passed over if the request
   * provably has not left; otherwise the caller, who knows what it may repeat, is told.
   *
   * @throws RpcError with the member's status, or UNAVAILABLE
   */
  async unary<Request, Response>(
    method: UpstreamMethod<Request, Response>,
    request: Request,
    options: UpstreamCallOptions,
  ): Promise<Response> {
    const bytes = this.#encode(method, request);
    if (this.#calls >= this.#options.callsMax) throw new WireError("RequestTooManyRequests");
    this.#calls++;
    try {
      return this.#decode(method, await this.#send(method.path, bytes, options));
    } finally {
      this.#calls--;
    }
  }

  async #send(path: string, request: Uint8Array, options: UpstreamCallOptions): Promise<Uint8Array> {
    const { endpoints, transport } = this.#options;
    const { caller, signal, deadlineMs } = options;
    for (let left = endpoints.length; ; left--) {
      const endpoint = this.endpoint;
      const timeoutMs =
        deadlineMs === undefined ? Number.POSITIVE_INFINITY : Math.max(1, deadlineMs - performance.now());
      try {
        return await transport.unary({ endpoint, path, request, metadata: caller.metadata, timeoutMs, signal });
      } catch (error) {
        const failure = failureOf(error);
        this.#note(endpoint, failure);
        if (left <= 1 || signal.aborted || !failure.isUnsent) throw failure.error;
      }
    }
  }

  /** Opens a stream to the current member. The sink hears nothing before this has returned. */
  openStream<Request, Response>(
    method: UpstreamMethod<Request, Response>,
    caller: Caller,
    sink: UpstreamSink<Response>,
  ): UpstreamStream<Request> {
    const endpoint = this.endpoint;
    const fail = (error: RpcError): void => {
      stream.cancel();
      sink.onEnd(error);
    };
    const stream: ClientStream = this.#options.transport.stream(
      { endpoint, path: method.path, metadata: caller.metadata },
      {
        onMessage: (bytes) => {
          const response = attempt(() => this.#decode(method, bytes));
          if (response instanceof RpcError) fail(response);
          else sink.onResponse(response);
        },
        onEnd: (error) => {
          const failure = error === undefined ? undefined : failureOf(error);
          if (failure !== undefined) this.#note(endpoint, failure);
          sink.onEnd(failure?.error);
        },
      },
    );
    return {
      send: (request) => {
        const bytes = attempt(() => this.#encode(method, request));
        if (bytes instanceof RpcError) fail(bytes);
        else stream.write(bytes);
      },
      halfClose: () => stream.halfClose(),
      cancel: () => stream.cancel(),
      pause: () => stream.pause(),
      resume: () => stream.resume(),
    };
  }

  #note(endpoint: string, { error }: Failure): void {
    // Only the first of many calls that fail with a member moves on to the next.
    if (error.status === GrpcStatus.Unavailable && endpoint === this.endpoint) this.#current++;
  }

  #encode<Request>(
    { requestType }: Pick<UpstreamMethod<Request, unknown>, "requestType">,
    request: Request,
  ): Uint8Array {
    const bytes = requestType.encode(request).finish();
    const { maxSendBytes } = this.#options;
    if (bytes.length <= maxSendBytes) return bytes;
    const text = `trying to send message larger than max (${bytes.length} vs. ${maxSendBytes})`;
    throw new RpcError(GrpcStatus.ResourceExhausted, text);
  }

  #decode<Response>(
    { responseType, path }: Omit<UpstreamMethod<unknown, Response>, "requestType">,
    bytes: Uint8Array,
  ): Response {
    const { maxRecvBytes } = this.#options;
    if (bytes.length > maxRecvBytes) {
      const text = `grpc: received message larger than max (${bytes.length} vs. ${maxRecvBytes})`;
      throw new RpcError(GrpcStatus.ResourceExhausted, text);
    }
    try {
      return responseType.decode(bytes);
    } catch (cause) {
      throw new RpcError(GrpcStatus.Internal, `malformed response of ${path}`, { cause });
    }
  }
}

/** The result, or the `RpcError` that it threw. */
function attempt<Result>(run: () => Result): Result | RpcError {
  try {
    return run();
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
}

interface Failure {
  /** What the caller is told. */
  readonly error: RpcError;
  /** Whether the request provably has not left. */
  readonly isUnsent: boolean;
}

/** What a transport's failure means to a caller: the member's own status and words. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof Error) || error.name !== "TransportError") throw error;
  const { status, sent, message } = error as Error & { readonly status: GrpcStatus; readonly sent: boolean };
  return { error: new RpcError(status, message, { cause: error }), isUnsent: !sent };
}
