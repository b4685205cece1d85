/** @module Handlers that pass a call on to a member, with its request and its responses rewritten or as they are. */
import type { Codec, ServiceDefinition } from "@conclave/protocol";
import type {
  BidiHandler,
  ResponseStream,
  ServerCall,
  ServerStreamHandler,
  ServiceHandlers,
  UnaryHandler,
} from "@conclave/rpc";
import { type Caller, callerOf } from "./caller.ts";
import { type Upstream, type UpstreamMethod, type UpstreamStream, upstreamMethod } from "./upstream.ts";

/** How messages are rewritten on their way; default: not at all. */
export interface Rewriting<Request, Response> {
  /** The request as the member gets it. */
  readonly request?: (request: Request) => Request;
  /** The response as the client gets it. */
  readonly response?: (response: Response) => Response;
}

const asItIs = <Message>(message: Message): Message => message;

/** Passes calls with one request and one response on. */
export function forwardUnary<Request, Response>(
  upstream: Upstream,
  method: UpstreamMethod<Request, Response>,
  { request: rewrite = asItIs, response: restore = asItIs }: Rewriting<Request, Response> = {},
): (request: Request, call: ServerCall) => Promise<Response> {
  return async (request, call) => {
    const { signal, deadlineMs } = call;
    return restore(await upstream.unary(method, rewrite(request), { caller: callerOf(call), signal, deadlineMs }));
  };
}

/** Passes calls with one request and a stream of responses on; a client that does not read stops the member. */
export function forwardServerStream<Request, Response>(
  upstream: Upstream,
  method: UpstreamMethod<Request, Response>,
  { request: rewrite = asItIs, response: restore = asItIs }: Rewriting<Request, Response> = {},
): ServerStreamHandler<Request, Response> {
  return (request, responses, call) =>
    relay({ upstream, method, caller: callerOf(call), signal: call.signal }, { responses, restore }, (stream) => {
      stream.send(rewrite(request));
      stream.halfClose();
    });
}

interface RelaySource<Request, Response> {
  readonly upstream: Upstream;
  readonly method: UpstreamMethod<Request, Response>;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

interface RelayTarget<Response> {
  readonly responses: ResponseStream<Response>;
  readonly restore: (response: Response) => Response;
}

function relay<Request, Response>(
  { upstream, method, caller, signal }: RelaySource<Request, Response>,
  { responses, restore }: RelayTarget<Response>,
  start: (stream: UpstreamStream<Request>) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      stream.cancel();
      reject(signal.reason);
    };
    const stream = upstream.openStream(method, caller, {
      onResponse: (response) => {
        if (responses.write(restore(response))) return;
        stream.pause();
        responses.drained().then(() => stream.resume(), ignore);
      },
      onEnd: (error) => {
        signal.removeEventListener("abort", onAbort);
        if (error === undefined) resolve();
        else reject(error);
      },
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    start(stream);
  });
}

/** The call is over; its signal says so too. */
function ignore(): void {}

type AnyHandler =
  | UnaryHandler<unknown, unknown>
  | ServerStreamHandler<unknown, unknown>
  | BidiHandler<unknown, unknown>;

/**
 * A handler for every method of a service, which passes calls on as they are.
 *
 * @param service - without methods that take a stream of requests, which need a handler of their own
 */
export function forwardService<Service extends ServiceDefinition>(
  upstream: Upstream,
  service: Service,
): ServiceHandlers<Service> {
  const handlers: Record<string, AnyHandler> = {};
  for (const [key, definition] of Object.entries(service.methods)) {
    const method = upstreamMethod(
      service,
      definition as { name: string; requestType: Codec<unknown>; responseType: Codec<unknown> },
    );
    handlers[key] = definition.responseStream ? forwardServerStream(upstream, method) : forwardUnary(upstream, method);
  }
  // The loop above gives each method the handler of its kind, which its type cannot say.
  return handlers as ServiceHandlers<Service>;
}
