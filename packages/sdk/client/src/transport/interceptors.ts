/** @module What users put around every call: the onion of functions that Connect and others have. */
import { GrpcStatus } from "@conclave/protocol";
import { LateStream } from "./late-stream.ts";
import {
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
} from "./transport.ts";

/** One try of a call with one request and one response. */
export interface UnaryRequest extends UnaryCall {
  /** Says that it is one. */
  readonly stream: false;
}

/** The opening of a stream. */
export interface StreamRequest extends StreamCall {
  /** Says that it is one. */
  readonly stream: true;
  /** Takes the responses. Hand on one of your own to see or change them. */
  readonly sink: StreamSink;
}

/** What an interceptor is given. Hand on a copy to change anything, such as `metadata`. */
export type CallRequest = UnaryRequest | StreamRequest;

/** What comes back. */
export type CallResponse =
  | {
      /** The answer to a {@link UnaryRequest}. */
      readonly stream: false;
      /** The encoded response. */
      readonly message: Uint8Array;
    }
  | {
      /** The answer to a {@link StreamRequest}. */
      readonly stream: true;
      /** The client's end of the stream. Hand back one of your own to see or change the requests. */
      readonly connection: ClientStream;
    };

/** Makes a call. */
export type CallHandler = (request: CallRequest) => Promise<CallResponse>;

/**
 * Sees every try of every call, and the opening of every stream, before it leaves and when it comes back. What it throws
 * that is no {@link TransportError} counts as a failure of unknown outcome. Tokens of users are added further in, so it sees
 * none.
 *
 * @example
 * ```ts
 * const timing: Interceptor = (next) => async (request) => {
 *   const startMs = performance.now();
 *   try {
 *     return await next(request);
 *   } finally {
 *     console.log(request.path, performance.now() - startMs);
 *   }
 * };
 * ```
 */
export type Interceptor = (next: CallHandler) => CallHandler;

/** A transport with interceptors around it, the first one outermost. */
export function withInterceptors(transport: ClientTransport, interceptors: readonly Interceptor[]): ClientTransport {
  if (interceptors.length === 0) return transport;
  const handle = interceptors.reduceRight<CallHandler>((next, interceptor) => interceptor(next), innermost(transport));
  return {
    async unary(call) {
      const response = await handle({ ...call, stream: false }).catch((error: unknown) => {
        throw asTransportError(error);
      });
      if (response.stream) throw mismatch("a stream");
      return response.message;
    },
    stream(call, sink) {
      const opening = handle({ ...call, stream: true, sink }).then(
        (response) => {
          if (!response.stream) throw mismatch("a message");
          return response.connection;
        },
        (error: unknown) => {
          throw asTransportError(error);
        },
      );
      return new LateStream(opening, sink);
    },
    close: () => transport.close(),
  };
}

function innermost(transport: ClientTransport): CallHandler {
  return async (request) =>
    request.stream
      ? { stream: true, connection: transport.stream(request, request.sink) }
      : { stream: false, message: await transport.unary(request) };
}

function asTransportError(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TransportError(GrpcStatus.Unknown, `an interceptor failed: ${reason}`, { cause: error });
}

function mismatch(what: string): TransportError {
  return new TransportError(GrpcStatus.Internal, `an interceptor answered with ${what}`);
}
