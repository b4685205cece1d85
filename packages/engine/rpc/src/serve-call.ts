/**
 * @module Joins a call to its handler: what arrives on the stream becomes requests, what the handler returns or
 * throws becomes the end of the call.
 */
import { Deferred } from "./deferred.ts";
import { MessageReader } from "./message-reader.ts";
import { RequestQueue } from "./request-stream.ts";
import type { RpcCall } from "./rpc-call.ts";
import type { BoundMethod, UnaryHandler } from "./service.ts";
import { SingleRequest } from "./single-request.ts";
import type { StreamReceiver } from "./transport.ts";

/** Serves a call. Its stream's events go to what is returned; a handler that reads a stream starts at once. */
export function serveCall(call: RpcCall, method: BoundMethod, maxRequestBytes: number): StreamReceiver {
  const reader = new MessageReader(maxRequestBytes);
  switch (method.kind) {
    case "unary":
      return new SingleRequest(call, { reader, run: (request) => runUnary(call, method.handler, request) });
    case "serverStream": {
      const run = (request: unknown): Promise<void> => method.handler(request, call.openResponses(), call);
      return new SingleRequest(call, { reader, run: (request) => runToEnd(call, () => run(request)) });
    }
    case "clientStream": {
      const requests = new RequestQueue<unknown>(call, reader);
      runToEnd(call, async () => call.answer(await method.handler(requests, call)));
      return requests;
    }
    case "bidi": {
      const requests = new RequestQueue<unknown>(call, reader);
      runToEnd(call, () => method.handler(requests, call.openResponses(), call));
      return requests;
    }
  }
}

/** Runs without a promise of its own where it can: most of a server's load goes through here. */
function runUnary(call: RpcCall, handler: UnaryHandler<unknown, unknown>, request: unknown): void {
  try {
    const response = handler(request, call);
    if (response instanceof Deferred) response.listen(call);
    else if (response instanceof Promise) {
      response.then(
        (value) => call.onValue(value),
        (error: unknown) => call.onError(error),
      );
    } else call.answer(response);
  } catch (error) {
    call.fail(error);
  }
}

function runToEnd(call: RpcCall, run: () => Promise<void>): void {
  const finished = async (): Promise<void> => {
    await run();
    call.complete();
  };
  finished().catch((error: unknown) => call.fail(error));
}
