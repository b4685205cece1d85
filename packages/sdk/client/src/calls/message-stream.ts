import { plainMetadata, requireLeader } from "../transport/transport.ts";
import { BatchQueue } from "../watch/batch-queue.ts";
import { type CallOptions, CallScope } from "./call-scope.ts";
import type { RpcMethod } from "./rpc-method.ts";
import { openRpcStream, type RpcStream, streamError } from "./rpc-stream.ts";
import type { CallPorts } from "./unary-run.ts";

/** How to read a stream of responses. */
export interface MessageStreamOptions extends CallOptions {
  /** The member to ask; default: the one the client talks to. */
  readonly endpoint?: string | undefined;
  /** Whether a member that knows no leader should refuse; default: true. */
  readonly requireLeader?: boolean | undefined;
}

const bufferedMessagesMax = 16;

/**
 * The responses of a method that answers one request with many. Not repeated after a failure; the member is
 * slowed down to the consumer's pace.
 */
export async function* readMessages<Request, Response>(
  ports: CallPorts,
  method: RpcMethod<Request, Response>,
  request: Request,
  options: MessageStreamOptions = {},
): AsyncGenerator<Response> {
  using scope = new CallScope(ports, {
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? Number.POSITIVE_INFINITY,
  });
  scope.throwIfEnded(method.name);
  const queue = new BatchQueue<Response>(() => 1);
  const stream: RpcStream<Request> = openRpcStream(
    method,
    {
      transport: ports.transport,
      endpoint: options.endpoint ?? ports.pool.pick(),
      metadata: options.requireLeader === false ? plainMetadata : requireLeader,
    },
    {
      onMessage(response) {
        queue.push(response);
        if (queue.length >= bufferedMessagesMax) stream.pause();
      },
      onEnd: (error) => queue.end(error === undefined ? undefined : streamError(error)),
    },
  );
  scope.onAbort(() => {
    stream.cancel();
    queue.end(scope.error(method.name), { drop: true });
  });
  try {
    stream.send(request);
    stream.halfClose();
    for (let message = await queue.next(); message !== undefined; message = await queue.next()) {
      if (queue.length === 0) stream.resume();
      yield message;
    }
  } finally {
    stream.cancel();
  }
}
