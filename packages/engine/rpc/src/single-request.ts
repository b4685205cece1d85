import { GrpcStatus } from "@conclave/protocol";
import type { MessageReader, ReceivedMessage } from "./message-reader.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcError } from "./rpc-error.ts";
import type { StreamReceiver } from "./transport.ts";

/** What a {@link SingleRequest} needs. */
export interface SingleRequestOptions {
  /** Cuts the bytes into messages. */
  readonly reader: MessageReader;
  /** Runs the handler. */
  readonly run: (request: unknown) => void;
}

/**
 * The request side of a call whose client sends exactly one message. The handler runs when the client has ended
 * its half, so nothing is done for a client that breaks the rule or is cut off in between.
 */
export class SingleRequest implements StreamReceiver {
  readonly #call: RpcCall;
  readonly #options: SingleRequestOptions;
  #message: ReceivedMessage | undefined;

  constructor(call: RpcCall, options: SingleRequestOptions) {
    this.#call = call;
    this.#options = options;
  }

  onData(bytes: Uint8Array): void {
    if (this.#call.over !== undefined) return;
    const { reader } = this.#options;
    try {
      reader.push(bytes);
      this.#message ??= reader.read();
      if (this.#message !== undefined && reader.bufferedBytes > 0) throw violation("multiple request messages for");
    } catch (error) {
      this.#call.refuseWith(error);
    }
  }

  onEnd(): void {
    if (this.#call.over !== undefined) return;
    let request: unknown;
    try {
      request = this.#call.decode(this.#message ?? this.#throwIncomplete());
    } catch (error) {
      this.#call.refuseWith(error);
      return;
    }
    this.#options.run(request);
  }

  onDrain(): void {
    this.#call.onDrain();
  }

  onClose(): void {
    this.#call.abandon();
  }

  #throwIncomplete(): never {
    if (this.#options.reader.bufferedBytes > 0) throw new RpcError(GrpcStatus.Internal, "unexpected EOF");
    throw violation("no request message from");
  }
}

/** grpc-go's words for a client that does not send exactly one message. */
function violation(received: string): RpcError {
  return new RpcError(GrpcStatus.Internal, `cardinality violation: received ${received} non-client-streaming RPC`);
}
