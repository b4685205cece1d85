/**
 * @module The port between the client and the network: bytes in, bytes out, to one member. The default adapter
 * speaks gRPC over HTTP/2; a simulated one lets clients and recipes run on virtual time.
 */
import type { GrpcStatus } from "@conclave/protocol";
import type { EndSignal } from "../on-abort.ts";

/** Metadata of a call: lower-case names and their values. */
export type CallMetadata = Readonly<Record<string, string>>;

/** What goes along with calls that a member without a leader should answer all the same. */
export const plainMetadata: CallMetadata = {};

/** What goes along with calls that a member without a leader should refuse at once. */
export const requireLeader: CallMetadata = { hasleader: "true" };

/** One call with one request and one response. */
export interface UnaryCall {
  /** The member to ask, as given in the client's options. */
  readonly endpoint: string;
  /** The method, as `/etcdserverpb.KV/Put`. */
  readonly path: string;
  /** The encoded request. */
  readonly request: Uint8Array;
  /** What goes along. */
  readonly metadata: CallMetadata;
  /** What the member is told of the caller's patience; `Infinity` for nothing. The client ends the call itself. */
  readonly timeoutMs: number;
  /** Ends the call; {@link onAbort} listens to either kind. */
  readonly signal: AbortSignal | EndSignal;
}

/** One call with a stream of requests or responses or both. */
export interface StreamCall {
  /** The member to ask. */
  readonly endpoint: string;
  /** The method, as `/etcdserverpb.Watch/Watch`. */
  readonly path: string;
  /** What goes along. */
  readonly metadata: CallMetadata;
}

/** Who takes the responses of a stream. */
export interface StreamSink {
  /** Takes one encoded response. */
  onMessage(message: Uint8Array): void;
  /** The stream has ended, with an error or in order. Called once, and last; never after `cancel`. */
  onEnd(error: TransportError | undefined): void;
}

/** The client's end of a stream. */
export interface ClientStream {
  /** Sends one encoded request; what cannot be sent yet is buffered. */
  write(message: Uint8Array): void;
  /** Says that no more requests follow. */
  halfClose(): void;
  /** Ends the stream at once; the sink hears nothing more. */
  cancel(): void;
  /** Takes no more responses off the network until `resume`; a few may still arrive. */
  pause(): void;
  /** Takes responses again. */
  resume(): void;
}

/** Moves bytes between the client and a member. */
export interface ClientTransport {
  /**
   * Makes one call.
   *
   * @returns the encoded response
   * @throws {@link TransportError} if it fails, promptly when the signal aborts
   */
  unary(call: UnaryCall): Promise<Uint8Array>;
  /** Opens a stream. The sink hears nothing, not even a failure to connect, before this has returned. */
  stream(call: StreamCall, sink: StreamSink): ClientStream;
  /** Lets go of all connections. The client has ended its calls before. */
  close(): void;
}

/** A call failed below the protocol, or the member answered with an error. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  /** The gRPC status. */
  readonly status: GrpcStatus;
  /** Whether any byte of the request may have left; false only if it provably has not. */
  readonly sent: boolean;

  /**
   * @param status - the gRPC status
   * @param message - the status message, to the letter
   * @param options - `sent`: see {@link TransportError.sent}, default true; `cause`
   */
  constructor(status: GrpcStatus, message: string, options: ErrorOptions & { readonly sent?: boolean } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.status = status;
    this.sent = options.sent ?? true;
  }
}

/** The error of a call that was not sent. */
export function unsent(status: GrpcStatus, message: string): TransportError {
  return new TransportError(status, message, { sent: false });
}
