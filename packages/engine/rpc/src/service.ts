/**
 * @module The seam between services and transport: a service is its definition and one handler per method, and
 * knows nothing of what carries it.
 *
 * A handler ends its call by returning or throwing: a `WireError` or `RpcError` gives the client its status and text,
 * anything else UNKNOWN without a word of what it was. The `bytes` fields of a request are views of what was received:
 * they stay valid and unchanged for ever, and keep that memory alive as long as they are kept.
 */
import type { Codec, MethodDefinition, ServiceDefinition } from "@conclave/protocol";
import type { Deferred } from "./deferred.ts";
import type { RequestStream } from "./request-stream.ts";
import type { ResponseStream } from "./response-stream.ts";
import type { ServerCall } from "./server-call.ts";

/** Answers one request with one response: now, with a promise, or with a `Deferred`, which costs a call the least. */
export type UnaryHandler<Request, Response> = (
  request: Request,
  call: ServerCall,
) => Response | Promise<Response> | Deferred<Response>;

/** Answers one request with a stream, which ends when the promise resolves. */
export type ServerStreamHandler<Request, Response> = (
  request: Request,
  responses: ResponseStream<Response>,
  call: ServerCall,
) => Promise<void>;

/** Answers a stream of requests with one response. */
export type ClientStreamHandler<Request, Response> = (
  requests: RequestStream<Request>,
  call: ServerCall,
) => Promise<Response>;

/** Answers a stream with a stream, which ends when the promise resolves, even if the client has not ended its own. */
export type BidiHandler<Request, Response> = (
  requests: RequestStream<Request>,
  responses: ResponseStream<Response>,
  call: ServerCall,
) => Promise<void>;

/** The message that a codec reads and writes. */
type MessageOf<C> = C extends { decode(bytes: Uint8Array): infer Message } ? Message : never;

/** The handler that a method calls for, by its two `…Stream` flags. */
export type MethodHandler<Method extends MethodDefinition> = HandlerOf<
  Method,
  MessageOf<Method["requestType"]>,
  MessageOf<Method["responseType"]>
>;

type HandlerOf<Method extends MethodDefinition, Request, Response> = Method["requestStream"] extends true
  ? Method["responseStream"] extends true
    ? BidiHandler<Request, Response>
    : ClientStreamHandler<Request, Response>
  : Method["responseStream"] extends true
    ? ServerStreamHandler<Request, Response>
    : UnaryHandler<Request, Response>;

/** Stands for the handler of a method that is left out on purpose: calls get UNIMPLEMENTED. */
export const unimplemented = "unimplemented";

/** One handler, or {@link unimplemented}, for every method of a service. */
export type ServiceHandlers<Service extends ServiceDefinition> = {
  readonly [Name in keyof Service["methods"]]: MethodHandler<Service["methods"][Name]> | typeof unimplemented;
};

/** A method bound to its handler. */
export type BoundMethod = {
  /** The service's name with the package. */
  readonly service: string;
  /** The method's name in the IDL. */
  readonly name: string;
  /** Codec of the requests. */
  readonly requestType: Codec<unknown>;
  /** Codec of the responses. */
  readonly responseType: Codec<unknown>;
} & BoundHandler;

type BoundHandler =
  | { readonly kind: "unary"; readonly handler: UnaryHandler<unknown, unknown> }
  | { readonly kind: "serverStream"; readonly handler: ServerStreamHandler<unknown, unknown> }
  | { readonly kind: "clientStream"; readonly handler: ClientStreamHandler<unknown, unknown> }
  | { readonly kind: "bidi"; readonly handler: BidiHandler<unknown, unknown> };

/** A service bound to its handlers, ready for a server. */
export interface ServiceBinding {
  /** The service's name with the package. */
  readonly fullName: string;
  /** Its implemented methods. */
  readonly methods: readonly BoundMethod[];
}

function kindOf({ requestStream, responseStream }: MethodDefinition): BoundHandler["kind"] {
  if (requestStream) return responseStream ? "bidi" : "clientStream";
  return responseStream ? "serverStream" : "unary";
}

/**
 * Binds handlers to a service. A method without a handler does not compile; {@link unimplemented} leaves one out.
 *
 * @param definition - a generated `…Definition` of the protocol
 * @param handlers - one per method; called with `handlers` as `this`
 */
export function bindService<Service extends ServiceDefinition>(
  definition: Service,
  handlers: ServiceHandlers<Service>,
): ServiceBinding {
  const methods: BoundMethod[] = [];
  for (const [key, method] of Object.entries(definition.methods)) {
    const handler = handlers[key as keyof typeof handlers];
    if (handler === unimplemented) continue;
    if (typeof handler !== "function") {
      throw new TypeError(`Cannot bind ${definition.fullName} as the method "${key}" has no handler`);
    }
    // The mapped type above ties each handler to its method's kind; only the loop cannot see it.
    const bound = { kind: kindOf(method), handler: handler.bind(handlers) } as BoundHandler;
    const { name, requestType, responseType } = method;
    methods.push({ service: definition.fullName, name, requestType, responseType, ...bound });
  }
  return { fullName: definition.fullName, methods };
}
