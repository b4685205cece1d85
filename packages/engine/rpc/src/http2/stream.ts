import type { OutgoingFields, StreamReceiver, TransportStream } from "../transport.ts";
import { type ErrorCode, errorCodes } from "./error-code.ts";
import { type CreditTaker, IncomingBody } from "./incoming-body.ts";
import { type BodyListener, OutgoingBody } from "./outgoing-body.ts";
import type { Sender } from "./sender.ts";

/** What a stream needs of its connection. */
export interface StreamHost {
  /** Sends. */
  readonly sender: Sender;
  /** A response is on its way. */
  onSending(): void;
  /** Bytes of requests were taken: as many may be sent again on the connection. */
  onTaken(bytes: number): void;
  /** The client may send more on a stream. */
  widenStream(streamId: number, bytes: number): void;
  /** Both halves are over, or the stream was reset: with a code, if it was from here. */
  onOver(stream: Http2Stream, resetCode: ErrorCode | undefined): void;
}

/** What a stream begins with. */
export interface StreamStart {
  /** Its number. */
  readonly id: number;
  /** What the client takes on it without being asked. */
  readonly windowBytes: number;
  /** How long the request's body is, as its header fields say, if they do. */
  readonly contentLength: number | undefined;
}

/** One stream: a request and its response. */
export class Http2Stream implements TransportStream, BodyListener, CreditTaker {
  readonly id: number;
  readonly #host: StreamHost;
  readonly #incoming: IncomingBody;
  readonly #outgoing: OutgoingBody;
  #isResponseOver = false;
  #isOver = false;

  constructor(host: StreamHost, start: StreamStart) {
    this.id = start.id;
    this.#host = host;
    this.#incoming = new IncomingBody(this, start.contentLength);
    this.#outgoing = new OutgoingBody(host.sender, start, this);
  }

  get bufferedBytes(): number {
    return this.#outgoing.bufferedBytes;
  }

  /** Who is told of the stream's events. */
  get receiver(): StreamReceiver | undefined {
    return this.#incoming.receiver;
  }

  /** Whether both halves are over, or the stream was reset. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What the client takes on this stream. */
  get windowBytes(): number {
    return this.#outgoing.windowBytes;
  }

  /** Begins to hand on what arrives. */
  receive(receiver: StreamReceiver): void {
    this.#incoming.receiver = receiver;
    this.#incoming.resume();
  }

  respond(headers: OutgoingFields): void {
    if (this.#isResponseOver) return;
    this.#host.onSending();
    this.#host.sender.sendHeaders(this.id, headers, false);
  }

  write(bytes: Uint8Array): void {
    if (!this.#isResponseOver) this.#outgoing.write(bytes);
  }

  end(trailers: OutgoingFields): void {
    if (!this.#isResponseOver) this.#outgoing.end(trailers);
  }

  respondAll(headers: OutgoingFields, bytes: Uint8Array, trailers: OutgoingFields): void {
    if (this.#isResponseOver) return;
    this.#host.onSending();
    if (this.#host.sender.sendAll(this.id, { headers, bytes, trailers }, this.#outgoing.windowBytes)) {
      this.onSent();
      return;
    }
    this.respond(headers);
    this.write(bytes);
    this.end(trailers);
  }

  reject(headers: OutgoingFields): void {
    if (this.#isResponseOver) return;
    this.#host.onSending();
    this.#host.sender.sendHeaders(this.id, headers, true);
    this.onSent();
  }

  pause(): void {
    this.#incoming.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#incoming.resume();
  }

  /** A frame of data arrived. */
  onData(bytes: Buffer, windowBytes: number): void {
    const code = this.#incoming.push(bytes, windowBytes);
    if (code === undefined) return;
    this.#host.onTaken(windowBytes);
    this.reset(code);
  }

  /** The client has ended its half. */
  onRequestEnd(): void {
    const code = this.#incoming.end();
    if (code !== undefined) this.reset(code);
  }

  /** Fields behind the data of a request: gRPC has none, but HTTP does (RFC 9113 §8.1). */
  onRequestTrailers(isEnd: boolean): void {
    if (isEnd || this.#incoming.isEnded) this.onRequestEnd();
    else this.reset(errorCodes.protocolError);
  }

  /** The client takes more, or less, as its settings have changed. */
  widen(bytes: number): void {
    this.#outgoing.widen(bytes);
  }

  onTaken(bytes: number, again: number): void {
    this.#host.onTaken(bytes);
    if (again > 0) this.#host.widenStream(this.id, again);
  }

  /** Ends the stream from here. */
  reset(code: ErrorCode): void {
    this.#onOver(code);
  }

  /** The client has reset the stream, or the connection is gone. */
  onReset(): void {
    this.#onOver(undefined);
  }

  onDrain(): void {
    this.receiver?.onDrain();
  }

  /** The response is over; what the client still has to say is not wanted (RFC 9113 §8.1). */
  onSent(): void {
    this.#isResponseOver = true;
    this.#onOver(this.#incoming.isEnded ? undefined : errorCodes.noError);
  }

  #onOver(resetCode: ErrorCode | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isResponseOver = true;
    this.#outgoing.discard();
    const heldBytes = this.#incoming.discard();
    if (heldBytes > 0) this.#host.onTaken(heldBytes);
    this.#host.onOver(this, resetCode);
  }
}
