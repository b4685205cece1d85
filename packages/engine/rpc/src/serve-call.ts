/**
 * @module Joins a call to its handler: what arrives on the stream becomes requests, what the handler returns or
 * throws becomes the end of the call.
 */
import { decodeStrict, GrpcStatus } from "@conclave/protocol";
import { decompress } from "./compression.ts";
import { frameMessage } from "./message-frame.ts";
import { MessageReader, type ReceivedMessage } from "./message-reader.ts";
import { RequestQueue } from "./request-stream.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcError } from "./rpc-error.ts";
import type { BoundMethod, UnaryHandler } from "./service.ts";
import { SingleRequest } from "./single-request.ts";
import type { StreamReceiver } from "./transport.ts";

/** How the requests and responses of a call are carried. */
export interface Carriage {
  /** The encoding of compressed requests. */
  readonly encoding: string | undefined;
  /** Longest request, in bytes, unpacked. */
  readonly maxRequestBytes: number;
  /** Bytes waiting for a slow client above which `write` says that there is no room. */
  readonly highWaterBytes: number;
}

/** Serves a call. Its stream's events go to what is returned; a handler that reads a stream starts at once. */
export function serveCall(call: RpcCall, method: BoundMethod, carriage: Carriage): StreamReceiver {
  const reader = new MessageReader(carriage.maxRequestBytes);
  const decode = (message: ReceivedMessage): unknown => decodeRequest(call, { message, method, carriage });
  const openResponses = () => call.openResponses(method.responseType, carriage.highWaterBytes);
  switch (method.kind) {
    case "unary":
      return new SingleRequest(call, { reader, decode, run: (request) => runUnary(call, method, request) });
    case "serverStream": {
      const run = (request: unknown): void => runStream(call, () => method.handler(request, openResponses(), call));
      return new SingleRequest(call, { reader, decode, run });
    }
    case "clientStream": {
      const requests = new RequestQueue(call, { reader, decode });
      const answer = async (): Promise<void> => respond(call, method, await method.handler(requests, call));
      runStream(call, answer);
      return requests;
    }
    case "bidi": {
      const requests = new RequestQueue(call, { reader, decode });
      runStream(call, () => method.handler(requests, openResponses(), call));
      return requests;
    }
  }
}

function decodeRequest(
  call: RpcCall,
  { message, method, carriage }: { message: ReceivedMessage; method: BoundMethod; carriage: Carriage },
): unknown {
  const { encoding, maxRequestBytes: maxBytes } = carriage;
  const bytes = message.compressed ? decompress(message.bytes, { encoding, maxBytes }) : message.bytes;
  call.countReceived();
  try {
    return decodeStrict(method.requestType, bytes);
  } catch (cause) {
    const what = method.kind === "unary" ? "error unmarshalling request" : "failed to unmarshal the received message";
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RpcError(GrpcStatus.Internal, `grpc: ${what}: ${reason}`, { cause });
  }
}

/** Runs without a promise of its own: most of a server's load goes through here. */
function runUnary(
  call: RpcCall,
  method: BoundMethod & { readonly handler: UnaryHandler<unknown, unknown> },
  request: unknown,
): void {
  try {
    const response = method.handler(request, call);
    if (response instanceof Promise) {
      response.then((value) => respond(call, method, value)).catch((error: unknown) => call.fail(error));
    } else respond(call, method, response);
  } catch (error) {
    call.fail(error);
  }
}

function respond(call: RpcCall, { responseType }: BoundMethod, response: unknown): void {
  if (call.over === undefined) call.answer(frameMessage(responseType.encode(response).finish()));
}

/** Runs a handler to the end of its call. */
function runStream(call: RpcCall, run: () => Promise<void>): void {
  const finished = async (): Promise<void> => {
    await run();
    call.complete();
  };
  finished().catch((error: unknown) => call.fail(error));
}
