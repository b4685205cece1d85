import { setMaxListeners } from "node:events";
import { decodeReceived, encodedPartsOf, GrpcStatus } from "@conclave/protocol";
import type { CallHead } from "./call-head.ts";
import { decompress } from "./compression.ts";
import type { DeferredListener } from "./deferred.ts";
import { encodeGrpcMessage } from "./grpc-message.ts";
import { type FrameEncoder, frameMessage, messagePrefix, prefixBytes } from "./message-frame.ts";
import type { ReceivedMessage } from "./message-reader.ts";
import { addMetadata, HeaderMetadata, type Metadata } from "./metadata.ts";
import type { MethodCounters } from "./method-counters.ts";
import { type ResponseSink, type ResponseStream, ResponseWriter } from "./response-stream.ts";
import { isStatusError, RpcError, type RpcStatus, statusOf } from "./rpc-error.ts";
import type { ServerCall } from "./server-call.ts";
import type { BoundMethod } from "./service.ts";
import type { OutgoingFields, Peer, RequestHead, TransportStream } from "./transport.ts";

/** What the calls of a server share. */
export interface CallSettings {
  /** Encodes the responses. */
  readonly encoder: FrameEncoder;
  /** Longest request, in bytes, unpacked. */
  readonly maxRequestBytes: number;
  /** Bytes waiting for a slow client above which `write` says that there is no room. */
  readonly highWaterBytes: number;
  /** Is told of what a handler threw that carries no status of its own: a fault of the program. */
  readonly onHandlerError: (error: unknown, call: ServerCall) => void;
  /** Longest time that a call with one answer takes as a rule, in milliseconds. */
  readonly slowCallMs: number;
  /** Is told of a call with one answer that took longer. */
  readonly onSlowCall: (call: ServerCall, tookMs: number) => void;
  /** Is told that a call is over. */
  readonly onOver: (call: RpcCall) => void;
}

/** A method, and what it has done. */
export interface Route {
  /** The method, bound to its handler. */
  readonly method: BoundMethod;
  /** Its counts. */
  readonly counters: MethodCounters;
}

/** What a call begins with. */
export interface CallStart {
  /** The request's header fields and origin. */
  readonly head: RequestHead;
  /** What they say. */
  readonly callHead: CallHead;
  /** Where they lead. */
  readonly route: Route;
  /** What all calls share. */
  readonly settings: CallSettings;
}

/** The longest delay that a timer takes; who waits longer waits for ever. */
const timerMsMax = 2 ** 31 - 1;

/** A response that is encoded already is made one piece up to here. */
const joinedBytesMax = 16 * 1024;

const okTrailers: OutgoingFields = { "grpc-status": "0" };

const answered = new RpcError(GrpcStatus.Canceled, "the call has been answered");

function malformed(cause: unknown, what: string): RpcError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RpcError(GrpcStatus.Internal, `grpc: ${what}: ${reason}`, { cause });
}

/**
 * One call, from its header fields to its status: what the handler knows of it, and the response side of its
 * stream. It ends exactly once: answered (the handler's result or error went out), refused (malformed, too late,
 * closing server) or abandoned (the client cancelled or is gone). The last two abort the signal.
 */
export class RpcCall implements ServerCall, ResponseSink, DeferredListener<unknown> {
  readonly #stream: TransportStream;
  readonly #start: CallStart;
  readonly #counters: MethodCounters;
  readonly deadlineMs: number | undefined;
  readonly #startMs: number = performance.now();
  #deadlineTimer: NodeJS.Timeout | undefined;
  #metadata: Metadata | undefined;
  #headers: Record<string, string> | undefined;
  #trailers: Record<string, string> | undefined;
  #headersSent = false;
  #over: RpcError | undefined;
  #controller: AbortController | undefined;
  #responses: { onDrain(): void; fail(reason: RpcError): void } | undefined;
  #onOver: (() => void) | undefined;

  constructor(stream: TransportStream, start: CallStart) {
    this.#stream = stream;
    this.#start = start;
    this.#counters = start.route.counters;
    this.#counters.started++;
    const { timeoutMs } = start.callHead;
    this.deadlineMs = timeoutMs === undefined ? undefined : this.#startMs + timeoutMs;
  }

  /** Starts the clock of the deadline. A call whose time was up when it was sent is over at once. */
  startDeadline(): void {
    const { timeoutMs } = this.#start.callHead;
    if (timeoutMs === undefined || timeoutMs > timerMsMax) return;
    const onDeadline = (): void => this.refuse(new RpcError(GrpcStatus.DeadlineExceeded, "context deadline exceeded"));
    if (timeoutMs === 0) onDeadline();
    else this.#deadlineTimer = setTimeout(onDeadline, timeoutMs);
  }

  get path(): string {
    return this.#start.callHead.path;
  }

  get peer(): Peer {
    return this.#start.head.peer;
  }

  get metadata(): Metadata {
    this.#metadata ??= new HeaderMetadata(this.#start.head.headers);
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
    return this.#start.route.method.kind !== "unary";
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
  openResponses(): ResponseStream<unknown> {
    const { settings, route } = this.#start;
    const responses = new ResponseWriter(this, { ...settings, codec: route.method.responseType });
    this.#responses = responses;
    return responses;
  }

  /** Has one listener told when the call is over. */
  onOver(listener: () => void): void {
    this.#onOver = listener;
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

  /**
   * Reads a request.
   *
   * @throws RpcError with grpc-go's status and text if it is malformed
   */
  decode({ compressed, bytes }: ReceivedMessage): unknown {
    this.#counters.received++;
    this.#counters.receivedBytes += bytes.length;
    const { settings, route, callHead } = this.#start;
    const { requestType, kind } = route.method;
    const { encoding } = callHead;
    const unpacked = compressed ? decompress(bytes, { encoding, maxBytes: settings.maxRequestBytes }) : bytes;
    try {
      return decodeReceived(requestType, unpacked);
    } catch (cause) {
      throw malformed(
        cause,
        kind === "unary" ? "error unmarshalling request" : "failed to unmarshal the received message",
      );
    }
  }

  writeFrame(frame: Uint8Array): void {
    if (this.#over !== undefined) return;
    this.#counters.sent++;
    this.#counters.sentBytes += frame.length;
    if (!this.#headersSent) {
      this.#headersSent = true;
      this.#stream.respond(this.#responseFields());
    }
    this.#stream.write(frame);
  }

  /** Ends the call with its only response. */
  answer(response: unknown): void {
    if (this.#over !== undefined) return;
    const { settings, route } = this.#start;
    const parts = encodedPartsOf(response);
    if (parts === undefined) this.#respondAll(settings.encoder.encode(route.method.responseType, response));
    else this.#respondInParts(parts);
    this.#end(answered, GrpcStatus.Ok);
  }

  onValue(response: unknown): void {
    try {
      this.answer(response);
    } catch (error) {
      this.fail(error);
    }
  }

  onError(error: unknown): void {
    this.fail(error);
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
    if (!isStatusError(error) && !this.#isAbortOfOurs(error)) this.#start.settings.onHandlerError(error, this);
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
    this.#controller?.abort(reason);
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
    this.#controller?.abort(reason);
  }

  /** What a handler throws because its signal aborted is no fault of the program. */
  #isAbortOfOurs(error: unknown): boolean {
    return this.#over !== undefined && error instanceof Error && error.name === "AbortError";
  }

  #end(reason: RpcError, code: GrpcStatus): void {
    this.#over = reason;
    clearTimeout(this.#deadlineTimer);
    this.#counters.countHandled(code);
    this.#measure();
    this.#start.settings.onOver(this);
    // Whoever still reads requests or waits for room is told, also of a call whose handler has returned.
    this.#onOver?.();
    this.#responses?.fail(reason);
    // What the client still sends is thrown away, so that the stream can end.
    this.#stream.resume();
  }

  #respondAll(frame: Uint8Array): void {
    this.#counters.sent++;
    this.#counters.sentBytes += frame.length;
    this.#stream.respondAll(this.#responseFields(), frame, this.#okTrailers());
  }

  /** Sends a message that is encoded already; a large one is not joined first. */
  #respondInParts(parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length <= joinedBytesMax) {
      this.#respondAll(frameMessage(...parts));
      return;
    }
    this.#counters.sent++;
    this.#counters.sentBytes += prefixBytes + length;
    this.#stream.respond(this.#responseFields());
    this.#stream.write(messagePrefix(length));
    for (const part of parts) this.#stream.write(part);
    this.#stream.end(this.#okTrailers());
  }

  #measure(): void {
    const tookMs = performance.now() - this.#startMs;
    this.#counters.durations?.observe(tookMs / 1000);
    const { slowCallMs, onSlowCall } = this.#start.settings;
    if (tookMs > slowCallMs && !this.isStreaming) onSlowCall(this, tookMs);
  }

  #responseFields(): OutgoingFields {
    const { responseFields } = this.#start.callHead;
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
