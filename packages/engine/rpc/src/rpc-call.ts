import { setMaxListeners } from "node:events";
import { type Codec, GrpcStatus } from "@conclave/protocol";
import { encodeGrpcMessage } from "./grpc-message.ts";
import { addMetadata, createMetadata, type Metadata } from "./metadata.ts";
import type { MethodCounters } from "./method-counters.ts";
import { type ResponseSink, type ResponseStream, ResponseWriter } from "./response-stream.ts";
import { isStatusError, RpcError, type RpcStatus, statusOf } from "./rpc-error.ts";
import type { ServerCall } from "./server-call.ts";
import type { OutgoingFields, Peer, RequestHead, TransportStream } from "./transport.ts";

/** What the calls of a server report to. */
export interface CallObserver {
  /** A handler threw what carries no status of its own: a fault of the program. */
  onHandlerError(error: unknown, call: ServerCall): void;
  /** The call is over. */
  onOver(call: RpcCall): void;
}

/** What a call begins with. */
export interface CallStart {
  /** The full name of the method. */
  readonly path: string;
  /** The request's header fields and origin. */
  readonly head: RequestHead;
  /** The response's header fields. */
  readonly responseFields: OutgoingFields;
  /** How long the client waits, in milliseconds; undefined: for ever. */
  readonly timeoutMs: number | undefined;
  /** Counts of the method. */
  readonly counters: MethodCounters;
  /** Whether one side streams, so that the call may stay open for ever. */
  readonly isStreaming: boolean;
  /** Whom to tell. */
  readonly observer: CallObserver;
}

/** The longest delay that a timer takes; who waits longer waits for ever. */
const timerMsMax = 2 ** 31 - 1;

const okTrailers: OutgoingFields = { "grpc-status": "0" };

const answered = new RpcError(GrpcStatus.Canceled, "the call has been answered");

/**
 * One call, from its header fields to its status: what the handler knows of it, and the response side of its
 * stream. It ends exactly once: answered (the handler's result or error went out), refused (malformed, too late,
 * closing server) or abandoned (the client cancelled or is gone). The last two abort the signal.
 */
export class RpcCall implements ServerCall, ResponseSink {
  readonly #stream: TransportStream;
  readonly #start: CallStart;
  readonly deadlineMs: number | undefined;
  readonly #deadlineTimer: NodeJS.Timeout | undefined;
  #metadata: Metadata | undefined;
  #headers: Record<string, string> | undefined;
  #trailers: Record<string, string> | undefined;
  #headersSent = false;
  #over: RpcError | undefined;
  #controller: AbortController | undefined;
  #responses: { onDrain(): void; fail(reason: RpcError): void } | undefined;
  #onAbort: (() => void) | undefined;

  constructor(stream: TransportStream, start: CallStart) {
    this.#stream = stream;
    this.#start = start;
    start.counters.started++;
    if (start.timeoutMs !== undefined) {
      this.deadlineMs = performance.now() + start.timeoutMs;
      if (start.timeoutMs <= timerMsMax) this.#deadlineTimer = setTimeout(() => this.#onDeadline(), start.timeoutMs);
    }
  }

  get path(): string {
    return this.#start.path;
  }

  get peer(): Peer {
    return this.#start.head.peer;
  }

  get metadata(): Metadata {
    this.#metadata ??= createMetadata(this.#start.head.headers);
    return this.#metadata;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // One call may feed thousands of watchers; many listeners are no leak here.
      setMaxListeners(0, this.#controller.signal);
      if (this.#over !== undefined && this.#over !== answered) this.#controller.abort(this.#over);
    }
    return this.#controller.signal;
  }

  /** Whether one side streams. */
  get isStreaming(): boolean {
    return this.#start.isStreaming;
  }

  get over(): RpcError | undefined {
    return this.#over;
  }

  get bufferedBytes(): number {
    return this.#stream.bufferedBytes;
  }

  setHeader(name: string, value: string | Uint8Array): void {
    if (this.#headersSent) throw new Error(`Cannot send the header "${name}" as the header fields have left already`);
    this.#headers ??= {};
    addMetadata(this.#headers, name, value);
  }

  setTrailer(name: string, value: string | Uint8Array): void {
    this.#trailers ??= {};
    addMetadata(this.#trailers, name, value);
  }

  /** Opens the response side of a call whose server sends a stream. */
  openResponses<Response>(codec: Codec<Response>, highWaterBytes: number): ResponseStream<Response> {
    const responses = new ResponseWriter(this, { codec, highWaterBytes });
    this.#responses = responses;
    return responses;
  }

  /** Has one listener told when the call is refused or abandoned; {@link over} says why. */
  onAbort(listener: () => void): void {
    this.#onAbort = listener;
  }

  /** Everything written has left. */
  onDrain(): void {
    this.#responses?.onDrain();
  }

  /** Stops the client. */
  pauseRequests(): void {
    if (this.#over === undefined) this.#stream.pause();
  }

  /** Lets the client send again. */
  resumeRequests(): void {
    this.#stream.resume();
  }

  /** Counts a request. */
  countReceived(): void {
    this.#start.counters.received++;
  }

  writeFrame(frame: Uint8Array): void {
    if (this.#over !== undefined) return;
    this.#start.counters.sent++;
    if (!this.#headersSent) {
      this.#headersSent = true;
      this.#stream.respond(this.#responseFields());
    }
    this.#stream.write(frame);
  }

  /** Ends the call with its only response. */
  answer(frame: Uint8Array): void {
    if (this.#over !== undefined) return;
    this.#start.counters.sent++;
    this.#stream.respondAll(this.#responseFields(), frame, this.#okTrailers());
    this.#end(answered, GrpcStatus.Ok);
  }

  /** Ends the call after its last response. */
  complete(): void {
    if (this.#over !== undefined) return;
    if (!this.#headersSent) this.#stream.respond(this.#responseFields());
    this.#stream.end(this.#okTrailers());
    this.#end(answered, GrpcStatus.Ok);
  }

  /** Ends the call with what its handler threw. */
  fail(error: unknown): void {
    if (!isStatusError(error) && !this.#isAbortOfOurs(error)) this.#start.observer.onHandlerError(error, this);
    if (this.#over !== undefined) return;
    const status = statusOf(error);
    this.#sendStatus(status);
    this.#end(answered, status.code);
  }

  /** Ends the call from outside its handler, and aborts the handler. */
  refuse(reason: RpcError): void {
    if (this.#over !== undefined) return;
    this.#sendStatus({ code: reason.status, message: reason.message });
    this.#end(reason, reason.status);
    this.#abort(reason);
  }

  /** Ends the call because its client does not keep to the protocol. */
  refuseWith(error: unknown): void {
    if (error instanceof RpcError) this.refuse(error);
    else this.fail(error);
  }

  /** The stream is gone; nothing can be sent any more. */
  abandon(): void {
    if (this.#over !== undefined) return;
    const reason = new RpcError(GrpcStatus.Canceled, "context canceled");
    this.#end(reason, GrpcStatus.Canceled);
    this.#abort(reason);
  }

  #onDeadline(): void {
    this.refuse(new RpcError(GrpcStatus.DeadlineExceeded, "context deadline exceeded"));
  }

  /** What a handler throws because its signal aborted is no fault of the program. */
  #isAbortOfOurs(error: unknown): boolean {
    return this.#over !== undefined && error instanceof Error && error.name === "AbortError";
  }

  #end(reason: RpcError, code: GrpcStatus): void {
    this.#over = reason;
    clearTimeout(this.#deadlineTimer);
    this.#start.counters.countHandled(code);
    this.#start.observer.onOver(this);
    // What the client still sends is thrown away, so that the stream can end.
    this.#stream.resume();
  }

  #abort(reason: RpcError): void {
    this.#onAbort?.();
    this.#responses?.fail(reason);
    this.#controller?.abort(reason);
  }

  #responseFields(): OutgoingFields {
    const { responseFields } = this.#start;
    return this.#headers === undefined ? responseFields : { ...responseFields, ...this.#headers };
  }

  #okTrailers(): OutgoingFields {
    return this.#trailers === undefined ? okTrailers : { ...okTrailers, ...this.#trailers };
  }

  #sendStatus({ code, message }: RpcStatus): void {
    const status = { "grpc-status": String(code), "grpc-message": encodeGrpcMessage(message), ...this.#trailers };
    if (this.#headersSent) this.#stream.end(status);
    else this.#stream.reject({ ...this.#responseFields(), ...status });
  }
}
