import type { Codec } from "@conclave/protocol";
import { type FrameEncoder, frameMessage } from "./message-frame.ts";
import type { RpcError } from "./rpc-error.ts";

/** The responses of a call whose server sends a stream. */
export interface ResponseStream<Response> {
  /**
   * Sends a response. Nothing is refused: what a slow client does not take is kept in memory, so a handler that
   * can send much stops when told to.
   *
   * @returns whether there is room for more; if not, wait for {@link drained}. False, and nothing happens, once
   *   the call is over
   */
  write(response: Response): boolean;
  /**
   * Sends a response that is encoded already, without its gRPC prefix. What many calls are sent is so encoded
   * once.
   *
   * @param parts - the bytes of the message, which may come in parts that are joined
   * @returns as {@link write}
   */
  writeEncoded(...parts: readonly Uint8Array[]): boolean;
  /**
   * Resolves when there is room again; at once if there is.
   *
   * @throws the `RpcError` that ended the call, if it is over
   */
  drained(): Promise<void>;
  /** Bytes written that the client's connection has not taken. */
  readonly bufferedBytes: number;
}

/** The part of a call that a {@link ResponseWriter} writes to. */
export interface ResponseSink {
  /** Sends a framed message, the header fields before the first. */
  writeFrame(frame: Uint8Array): void;
  /** Bytes that the socket has not taken. */
  readonly bufferedBytes: number;
  /** Why nothing more can be sent; undefined while it can. */
  readonly over: RpcError | undefined;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: RpcError) => void;
}

/** What a {@link ResponseWriter} needs. */
export interface ResponseWriterOptions<Response> {
  /** Codec of the responses. */
  readonly codec: Codec<Response>;
  /** Encodes them with their prefix. */
  readonly encoder: FrameEncoder;
  /** Bytes waiting for a slow client above which `write` says that there is no room. */
  readonly highWaterBytes: number;
}

/** Encodes and frames the responses of one call. */
export class ResponseWriter<Response> implements ResponseStream<Response> {
  readonly #sink: ResponseSink;
  readonly #options: ResponseWriterOptions<Response>;
  #waiters: Waiter[] = [];

  constructor(sink: ResponseSink, options: ResponseWriterOptions<Response>) {
    this.#sink = sink;
    this.#options = options;
  }

  get bufferedBytes(): number {
    return this.#sink.bufferedBytes;
  }

  write(response: Response): boolean {
    if (this.#sink.over !== undefined) return false;
    const { encoder, codec } = this.#options;
    this.#sink.writeFrame(encoder.encode(codec, response));
    return this.#hasRoom();
  }

  writeEncoded(...parts: readonly Uint8Array[]): boolean {
    if (this.#sink.over !== undefined) return false;
    this.#sink.writeFrame(frameMessage(...parts));
    return this.#hasRoom();
  }

  async drained(): Promise<void> {
    if (this.#sink.over !== undefined) throw this.#sink.over;
    if (this.#hasRoom()) return;
    await new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Everything written has left. */
  onDrain(): void {
    for (const { resolve } of this.#takeWaiters()) resolve();
  }

  /** The call is over. */
  fail(error: RpcError): void {
    for (const { reject } of this.#takeWaiters()) reject(error);
  }

  #hasRoom(): boolean {
    return this.#sink.bufferedBytes <= this.#options.highWaterBytes;
  }

  #takeWaiters(): readonly Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }
}
