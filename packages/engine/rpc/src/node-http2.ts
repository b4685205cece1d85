/**
 * @module The transport on `node:http2`, through its core stream API. The listeners of a stream are shared
 * functions that find their adapter through a symbol, so that a request creates no closures here.
 */
import http2, { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AnnouncedSettings } from "./frame-scanner.ts";
import { PingPolicy } from "./ping-policy.ts";
import { startServerPings } from "./server-pings.ts";
import type { AcceptStream, OutgoingFields, Peer, StreamReceiver, TransportStream } from "./transport.ts";

/** What a connection is told. */
export interface Http2Options {
  /** The connection's socket, whose received bytes tell silence. */
  readonly socket: Socket;
  /** Takes each stream. */
  readonly accept: AcceptStream;
  /** Where the connection comes from. */
  readonly peer: Peer;
  /** Streams that a client may have open at once. */
  readonly maxConcurrentStreams: number;
  /** Least time between two pings of a client, in milliseconds. */
  readonly pingIntervalMinMs: number;
  /** Silence after which the client is pinged, in milliseconds. */
  readonly keepAliveIntervalMs: number;
  /** Time the client has to answer that ping, in milliseconds. */
  readonly keepAliveTimeoutMs: number;
  /** Is told that the connection is gone. */
  readonly onClose: () => void;
}

/** A connection that speaks HTTP/2. */
export interface Http2Connection {
  /** Opens no more streams, and ends the connection with its last one. */
  close(): void;
  /** Ends the connection now. */
  destroy(): void;
}

/** Bytes a client may send ahead on one stream. */
const streamWindowBytes = 512 * 1024;

/** Bytes a client may send ahead on all streams of a connection. */
const connectionWindowBytes = 4 * 1024 * 1024;

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = http2.constants;

/** Node's options, with two that its types for the oldest supported version lack; there they have no effect. */
interface SessionOptions extends http2.ServerOptions {
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
}

/** What a client is told that it may do. */
export function announcedSettings({
  maxConcurrentStreams,
}: Pick<Http2Options, "maxConcurrentStreams">): AnnouncedSettings {
  return { maxConcurrentStreams, initialWindowSize: streamWindowBytes };
}

/** Serves a connection whose client has begun to speak HTTP/2: its socket, or a stream in front of it. */
export function serveHttp2(connection: Duplex, options: Http2Options): Http2Connection {
  const sessionOptions: SessionOptions = {
    settings: announcedSettings(options),
    // In megabytes. Above it Node refuses new streams; what waits for slow clients has a bound of our own.
    maxSessionMemory: 1000,
    // A client of thousands of watches cancels them all at once when it leaves.
    streamResetBurst: 100_000,
    streamResetRate: 10_000,
  };
  const session = http2.performServerHandshake(connection, sessionOptions);
  session.setLocalWindowSize(connectionWindowBytes);
  startServerPings(session, options);
  return new NodeConnection(session, options);
}

class NodeConnection implements Http2Connection {
  readonly #session: ServerHttp2Session;
  readonly #options: Http2Options;
  readonly pings: PingPolicy;
  #openStreams = 0;

  constructor(session: ServerHttp2Session, options: Http2Options) {
    this.#session = session;
    this.#options = options;
    this.pings = new PingPolicy(options.pingIntervalMinMs);
    session.on("stream", (stream, headers) => this.#onStream(stream, headers));
    session.on("ping", () => this.#onPing());
    // A lost connection, or frames that make no sense: Node ends the session, and each stream is told.
    session.on("error", () => undefined);
    session.on("close", options.onClose);
  }

  close(): void {
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
  }

  onStreamClosed(): void {
    this.#openStreams--;
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#openStreams++;
    const adapter = new NodeStream(stream, this);
    (stream as AdaptedStream)[adapterKey] = adapter;
    stream.on("close", onClose);
    // An error is followed by "close", which says all that counts; without a listener it would end the process.
    stream.on("error", onError);
    adapter.receive(this.#options.accept(adapter, { headers, peer: this.#options.peer }));
  }

  #onPing(): void {
    if (!this.pings.isTooMany({ nowMs: performance.now(), openStreams: this.#openStreams })) return;
    this.#session.goaway(NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from("too_many_pings"));
    this.#session.destroy();
  }
}

const adapterKey = Symbol("adapter");

interface AdaptedStream extends ServerHttp2Stream {
  [adapterKey]: NodeStream;
}

function onData(this: AdaptedStream, bytes: Buffer): void {
  this[adapterKey].receiver?.onData(bytes);
}

function onEnd(this: AdaptedStream): void {
  this[adapterKey].onEnd();
}

function onDrain(this: AdaptedStream): void {
  this[adapterKey].receiver?.onDrain();
}

function onClose(this: AdaptedStream): void {
  this[adapterKey].onClose();
}

function onError(): void {}

function onWantTrailers(this: AdaptedStream): void {
  this[adapterKey].sendTrailers();
}

const streaming: http2.ServerStreamResponseOptions & { readonly sendDate: boolean } = {
  waitForTrailers: true,
  sendDate: false,
};
const trailersOnly = { endStream: true, sendDate: false };

class NodeStream implements TransportStream {
  readonly #stream: ServerHttp2Stream;
  readonly #connection: NodeConnection;
  #trailers: OutgoingFields | undefined;
  #requestEnded = false;
  receiver: StreamReceiver | undefined;

  constructor(stream: ServerHttp2Stream, connection: NodeConnection) {
    this.#stream = stream;
    this.#connection = connection;
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  /** Begins to read. A stream that was rejected is not read: its end follows from the reset. */
  receive(receiver: StreamReceiver): void {
    this.receiver = receiver;
    if (this.#isGone) return;
    this.#stream.on("data", onData);
    this.#stream.on("end", onEnd);
    this.#stream.on("drain", onDrain);
  }

  respond(headers: OutgoingFields): void {
    if (this.#isGone) return;
    this.#connection.pings.onSent();
    this.#stream.respond(headers, streaming);
    this.#stream.on("wantTrailers", onWantTrailers);
  }

  write(bytes: Uint8Array): void {
    if (this.#isGone) return;
    this.#connection.pings.onSent();
    this.#stream.write(bytes);
  }

  end(trailers: OutgoingFields): void {
    this.#trailers = trailers;
    if (!this.#isGone) this.#stream.end();
  }

  respondAll(headers: OutgoingFields, bytes: Uint8Array, trailers: OutgoingFields): void {
    this.respond(headers);
    this.#trailers = trailers;
    if (!this.#isGone) this.#stream.end(bytes);
  }

  reject(headers: OutgoingFields): void {
    if (this.#isGone) return;
    this.#connection.pings.onSent();
    this.#stream.respond(headers, trailersOnly);
    this.#stopClient();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  sendTrailers(): void {
    if (this.#isGone || this.#trailers === undefined) return;
    this.#stream.sendTrailers(this.#trailers);
    // Node submits the trailers in a setImmediate of its own; the reset must come after them.
    if (!this.#requestEnded) setImmediate(() => this.#stopClient());
  }

  onEnd(): void {
    // A stream that was reset, or lost with its connection, also ends for its reader; "close" tells the truth.
    if (this.#isGone) return;
    this.#requestEnded = true;
    this.receiver?.onEnd();
  }

  onClose(): void {
    this.#connection.onStreamClosed();
    this.receiver?.onClose();
  }

  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /** The response is complete; what the client still has to say is not wanted (RFC 9113 §8.1). */
  #stopClient(): void {
    if (!this.#requestEnded && !this.#isGone) this.#stream.close(NGHTTP2_NO_ERROR);
  }
}
