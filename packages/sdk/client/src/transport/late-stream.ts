import { GrpcStatus } from "@conclave/protocol";
import { type ClientStream, type StreamSink, TransportError } from "./transport.ts";

/** A stream that opens later; what is written before is kept until then. */
export class LateStream implements ClientStream {
  readonly #waiting: ((stream: ClientStream) => void)[] = [];
  #stream: ClientStream | undefined;
  #cancelled = false;

  /**
   * @param opening - the stream, once it is open
   * @param sink - hears of a failure to open it
   */
  constructor(opening: Promise<ClientStream>, sink: StreamSink) {
    opening.then(
      (stream) => this.#onOpen(stream),
      (error: unknown) => {
        if (!this.#cancelled) sink.onEnd(error instanceof TransportError ? error : unknownFailure(error));
      },
    );
  }

  write(message: Uint8Array): void {
    this.#do((stream) => stream.write(message));
  }

  halfClose(): void {
    this.#do((stream) => stream.halfClose());
  }

  cancel(): void {
    this.#cancelled = true;
    this.#waiting.length = 0;
    this.#stream?.cancel();
  }

  pause(): void {
    this.#do((stream) => stream.pause());
  }

  resume(): void {
    this.#do((stream) => stream.resume());
  }

  #onOpen(stream: ClientStream): void {
    this.#stream = stream;
    if (this.#cancelled) stream.cancel();
    for (const action of this.#waiting.splice(0)) action(stream);
  }

  #do(action: (stream: ClientStream) => void): void {
    if (this.#stream !== undefined) action(this.#stream);
    else if (!this.#cancelled) this.#waiting.push(action);
  }
}

function unknownFailure(cause: unknown): TransportError {
  return new TransportError(GrpcStatus.Internal, "the stream could not be opened", { sent: false, cause });
}
