import { ConclaveError } from "../conclave-error.ts";
import { type CallMetadata, type ClientStream, type ClientTransport, TransportError } from "../transport/transport.ts";
import { harmlessError } from "./failure.ts";
import type { RpcMethod } from "./rpc-method.ts";

/** The client's end of a stream of messages. */
export interface RpcStream<Request> {
  /** Sends a request. */
  send(request: Request): void;
  /** Says that no more requests follow. */
  halfClose(): void;
  /** Ends the stream; its sink hears nothing more. */
  cancel(): void;
  /** Takes no more responses until `resume`. */
  pause(): void;
  /** Takes responses again. */
  resume(): void;
}

/** Who takes the responses of a stream. */
export interface RpcStreamSink<Response> {
  /** Takes one response. */
  onMessage(response: Response): void;
  /** The stream has ended; called once, and last. */
  onEnd(error: TransportError | ConclaveError | undefined): void;
}

/** Where to open a stream. */
export interface RpcStreamTarget {
  /** Moves the bytes. */
  readonly transport: ClientTransport;
  /** The member. */
  readonly endpoint: string;
  /** What goes along. */
  readonly metadata: CallMetadata;
}

/** Opens a stream of messages. */
export function openRpcStream<Request, Response>(
  method: RpcMethod<Request, Response>,
  { transport, endpoint, metadata }: RpcStreamTarget,
  sink: RpcStreamSink<Response>,
): RpcStream<Request> {
  const stream: ClientStream = transport.stream(
    { endpoint, path: method.path, metadata },
    {
      onMessage(bytes) {
        const response = decode(method, bytes);
        if (response !== undefined) sink.onMessage(response);
        else {
          stream.cancel();
          sink.onEnd(new ConclaveError("PROTOCOL", `${method.name}: malformed response of ${bytes.length} bytes`));
        }
      },
      onEnd: (error) => sink.onEnd(error),
    },
  );
  return {
    send: (request) => stream.write(method.encode(request)),
    halfClose: () => stream.halfClose(),
    cancel: () => stream.cancel(),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  };
}

function decode<Response>(method: RpcMethod<never, Response>, bytes: Uint8Array): Response | undefined {
  try {
    return method.decode(bytes);
  } catch {
    // The decoder's own error says nothing a caller could use; the stream is ended with one that does.
    return undefined;
  }
}

/** The error of a stream that is over, for those who wanted it to go on. */
export function streamError(error: TransportError | ConclaveError | undefined): ConclaveError {
  if (error === undefined) return new ConclaveError("UNAVAILABLE", "the member ended the stream", { retryable: true });
  return error instanceof TransportError ? harmlessError(error) : error;
}
