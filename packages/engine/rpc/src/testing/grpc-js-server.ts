/**
 * @module The same services on grpc-js's own server, so that one suite holds both to what clients must see.
 */
import { decodeStrict, GrpcStatus } from "@conclave/protocol";
import * as grpc from "@grpc/grpc-js";
import type { Metadata } from "../metadata.ts";
import type { RequestStream } from "../request-stream.ts";
import type { ResponseStream } from "../response-stream.ts";
import { RpcError, statusOf } from "../rpc-error.ts";
import type { ServerCall } from "../server-call.ts";
import type { BoundMethod, ServiceBinding } from "../service.ts";

/** A server under test. */
export interface TestServer extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
}

/** Starts grpc-js's server with some services. */
export async function startGrpcJsServer(...bindings: readonly ServiceBinding[]): Promise<TestServer> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": 2 * 1024 * 1024 });
  for (const { methods } of bindings) {
    server.addService(
      Object.fromEntries(methods.map((method) => [method.name, toGrpcJsMethod(method)])),
      Object.fromEntries(methods.map((method) => [method.name, toGrpcJsHandler(method)])),
    );
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => server.forceShutdown() };
}

function toGrpcJsMethod({ service, name, kind, requestType, responseType }: BoundMethod) {
  return {
    path: `/${service}/${name}`,
    requestStream: kind === "clientStream" || kind === "bidi",
    responseStream: kind === "serverStream" || kind === "bidi",
    requestSerialize: (message: unknown) => Buffer.from(requestType.encode(message).finish()),
    requestDeserialize: (bytes: Buffer) => decodeStrict(requestType, bytes),
    responseSerialize: (message: unknown) => Buffer.from(responseType.encode(message).finish()),
    responseDeserialize: (bytes: Buffer) => decodeStrict(responseType, bytes),
  };
}

/** What the four kinds of calls of grpc-js have in common. */
type AnyCall = Pick<
  grpc.ServerUnaryCall<unknown, unknown>,
  "getPath" | "getPeer" | "getDeadline" | "metadata" | "sendMetadata"
> & { on(event: "cancelled", listener: () => void): unknown };
type UnaryLikeCall = grpc.ServerUnaryCall<unknown, unknown> | grpc.ServerReadableStream<unknown, unknown>;
type StreamLikeCall = grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;

function toGrpcJsHandler(method: BoundMethod): grpc.UntypedHandleCall {
  switch (method.kind) {
    case "unary":
      return (call: grpc.ServerUnaryCall<unknown, unknown>, reply: grpc.sendUnaryData<unknown>) =>
        answer(call, reply, async (serverCall) => method.handler(call.request, serverCall));
    case "clientStream":
      return (call: grpc.ServerReadableStream<unknown, unknown>, reply: grpc.sendUnaryData<unknown>) =>
        answer(call, reply, (serverCall) => method.handler(requestsOf(call), serverCall));
    case "serverStream":
      return (call: grpc.ServerWritableStream<unknown, unknown>) =>
        finish(call, (serverCall) => method.handler(call.request, responsesOf(call, method), serverCall));
    case "bidi":
      return (call: grpc.ServerDuplexStream<unknown, unknown>) =>
        finish(call, (serverCall) => method.handler(requestsOf(call), responsesOf(call, method), serverCall));
  }
}

function answer(
  call: UnaryLikeCall,
  reply: grpc.sendUnaryData<unknown>,
  run: (call: ServerCall) => Promise<unknown>,
): void {
  const adapted = new AdaptedCall(call);
  run(adapted).then(
    (response) => reply(null, response, adapted.trailers),
    (error: unknown) => reply(toGrpcJsError(error)),
  );
}

function finish(call: StreamLikeCall, run: (call: ServerCall) => Promise<void>): void {
  const adapted = new AdaptedCall(call);
  run(adapted).then(
    () => call.end(adapted.trailers),
    (error: unknown) => call.emit("error", toGrpcJsError(error)),
  );
}

function toGrpcJsError(error: unknown): Partial<grpc.StatusObject> {
  const { code, message } = statusOf(error);
  return { code, details: message };
}

class AdaptedCall implements ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly peer: { readonly address: string };
  readonly deadlineMs: number | undefined;
  readonly signal: AbortSignal;
  readonly trailers: grpc.Metadata = new grpc.Metadata();
  readonly #call: AnyCall;

  constructor(call: AnyCall) {
    this.#call = call;
    this.path = call.getPath();
    this.peer = { address: call.getPeer() };
    this.metadata = adaptMetadata(call.metadata);
    const deadline = Number(call.getDeadline());
    this.deadlineMs = Number.isFinite(deadline) ? performance.now() + deadline - Date.now() : undefined;
    const controller = new AbortController();
    this.signal = controller.signal;
    call.on("cancelled", () => controller.abort(this.#abortReason()));
  }

  setHeader(name: string, value: string | Uint8Array): void {
    const headers = new grpc.Metadata();
    headers.set(name, typeof value === "string" ? value : Buffer.from(value));
    this.#call.sendMetadata(headers);
  }

  setTrailer(name: string, value: string | Uint8Array): void {
    this.trailers.set(name, typeof value === "string" ? value : Buffer.from(value));
  }

  #abortReason(): RpcError {
    const isLate = this.deadlineMs !== undefined && performance.now() >= this.deadlineMs;
    return isLate
      ? new RpcError(GrpcStatus.DeadlineExceeded, "context deadline exceeded")
      : new RpcError(GrpcStatus.Canceled, "context canceled");
  }
}

function adaptMetadata(metadata: grpc.Metadata): Metadata {
  return {
    get: (name) => metadata.get(name).join(", ") || undefined,
    getBinary: (name) => metadata.get(name).filter((value) => Buffer.isBuffer(value)),
    names: () => Object.keys(metadata.getMap()).filter((name) => name !== "user-agent"),
  };
}

function requestsOf(
  call: grpc.ServerReadableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>,
): RequestStream<unknown> {
  return {
    forEach: async (onRequest) => {
      for await (const request of call) await onRequest(request);
    },
    // A handler that stops reading may still write.
    [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false })[Symbol.asyncIterator](),
  };
}

function responsesOf(call: StreamLikeCall, { responseType }: BoundMethod): ResponseStream<unknown> {
  return {
    write: (response) => call.write(response),
    writeEncoded: (...parts) => call.write(responseType.decode(Buffer.concat(parts))),
    drained: () => new Promise((resolve) => call.once("drain", resolve)),
    bufferedBytes: 0,
  };
}
