import { GrpcStatus } from "@conclave/protocol";
import type { MessageReader } from "./message-reader.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcError } from "./rpc-error.ts";
import type { StreamReceiver } from "./transport.ts";

/**
 * The requests of a call whose client sends a stream, to be read once, in one of two forms. Both end when the
 * client has ended its half. Both throw a `RpcError` when the call is over before: the client cancels or is gone,
 * the deadline passes, a request is malformed, or the handler has returned. A client whose requests are not read is
 * stopped by flow control.
 */
export interface RequestStream<Request> extends AsyncIterable<Request> {
  /**
   * Hands over each request, the cheaper form.
   *
   * @param onRequest - if it returns a promise, the next request waits for it
   * @returns a promise that resolves when the client has ended its half; rejects with what `onRequest` threw
   */
  forEach(onRequest: (request: Request) => void | Promise<void>): Promise<void>;
}

/** Bytes that may wait for a handler that does not read; above it the client is stopped. */
const waitingBytesMax = 65_536;

/** The request side of a call whose client sends a stream: bytes, decoded one message at a time when asked for. */
export class RequestQueue<Request> implements RequestStream<Request>, StreamReceiver {
  readonly #call: RpcCall;
  readonly #reader: MessageReader;
  #ended = false;
  #wake: (() => void) | undefined;

  /**
   * @param call - its requests are of type `Request`, as its method's codec says
   * @param reader - cuts the bytes into messages
   */
  constructor(call: RpcCall, reader: MessageReader) {
    this.#call = call;
    this.#reader = reader;
    call.onOver(() => this.#wakeReader());
  }

  onData(bytes: Uint8Array): void {
    if (this.#call.over !== undefined) return;
    this.#reader.push(bytes);
    if (this.#wake === undefined && this.#reader.bufferedBytes > waitingBytesMax) this.#call.pauseRequests();
    this.#wakeReader();
  }

  onEnd(): void {
    this.#ended = true;
    this.#wakeReader();
  }

  onDrain(): void {
    this.#call.onDrain();
  }

  onClose(): void {
    this.#call.abandon();
  }

  async forEach(onRequest: (request: Request) => void | Promise<void>): Promise<void> {
    while (true) {
      const request = this.#read();
      if (request !== undefined) {
        const done = onRequest(request);
        if (done !== undefined) await done;
      } else if (this.#ended) return;
      else await this.#arrival();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Request, void, undefined> {
    while (true) {
      const request = this.#read();
      if (request !== undefined) yield request;
      else if (this.#ended) return;
      else await this.#arrival();
    }
  }

  #read(): Request | undefined {
    if (this.#call.over !== undefined) throw this.#call.over;
    try {
      const message = this.#reader.read();
      if (message !== undefined) return this.#call.decode(message) as Request;
      if (this.#ended && this.#reader.bufferedBytes > 0) throw new RpcError(GrpcStatus.Internal, "unexpected EOF");
      return undefined;
    } catch (error) {
      this.#call.refuseWith(error);
      throw error;
    }
  }

  /** Resolves when there is something new to look at. */
  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#call.resumeRequests();
    });
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
