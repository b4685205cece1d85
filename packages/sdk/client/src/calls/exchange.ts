import { GrpcStatus } from "@conclave/protocol";
import { onAbort } from "../on-abort.ts";
import { type ClientTransport, TransportError, type UnaryCall } from "../transport/transport.ts";

/** Sends one request on a stream of its own and resolves with the first response, as if the method were unary. */
export function exchange(transport: ClientTransport, call: UnaryCall): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (call.signal.aborted) {
      reject(new TransportError(GrpcStatus.Canceled, "canceled before it was sent", { sent: false }));
      return;
    }
    const stream = transport.stream(call, {
      onMessage(message) {
        unlisten();
        stream.cancel();
        resolve(message);
      },
      onEnd(error) {
        unlisten();
        reject(error ?? new TransportError(GrpcStatus.Unavailable, "the stream ended without a response"));
      },
    });
    const unlisten = onAbort(call.signal, () => {
      stream.cancel();
      reject(new TransportError(GrpcStatus.Canceled, "canceled"));
    });
    stream.write(call.request);
  });
}
