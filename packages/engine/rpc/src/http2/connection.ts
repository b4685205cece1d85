/**
 * @module The server's side of an HTTP/2 connection (RFC 9113), as gRPC needs it: no push, priorities ignored. A client
 * that breaks a rule loses its stream or its connection, as the RFC says which.
 */
import type { Duplex } from "node:stream";
import { PingPolicy } from "../ping-policy.ts";
import type { AcceptStream, HeaderFields, Peer } from "../transport.ts";
import { ConnectionError, type ErrorCode, errorCodes } from "./error-code.ts";
import {
  type Frame,
  flags,
  frameTypes,
  goawayFrame,
  pingFrame,
  rstStreamFrame,
  settingsAck,
  settingsFrame,
  windowUpdateFrame,
} from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import {
  contentLengthOf,
  dataOf,
  requireConnection,
  requireGoaway,
  requireLength,
  requireStream,
  requireWindow,
} from "./frame-rules.ts";
import { BlockAssembler, BlockReader, fieldsBytesMax, type HeaderBlock } from "./header-blocks.ts";
import { streamWindowBytes } from "./incoming-body.ts";
import { Sender } from "./sender.ts";
import { defaultPeerSettings, readSettings, settingIds, windowBytesDefault, windowBytesMax } from "./settings.ts";
import { SilenceWatch } from "./silence-watch.ts";
import { Http2Stream, type StreamHost } from "./stream.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What a connection is told. Times are in milliseconds. */
export interface Http2Options {
  /** Takes each stream. */
  readonly accept: AcceptStream;
  /** Where the connection comes from. */
  readonly peer: Peer;
  /** Streams that a client may have open at once. */
  readonly maxConcurrentStreams: number;
  /** Least time between two pings of a client. */
  readonly pingIntervalMinMs: number;
  /** Silence after which the client is pinged. */
  readonly keepAliveIntervalMs: number;
  /** Time the client has to answer that ping. */
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

/** Bytes a client may send ahead on all streams of a connection. */
const connectionWindowBytes = 4 * 1024 * 1024;

/** A client that takes none of so much that it caused is not worth its memory. */
const unsentBytesMax = 16 * 1024 * 1024;

/** Responses that clients do not take may hold so much on one connection; then new streams are refused. */
const waitingBytesMax = 64 * 1024 * 1024;

/** Streams reset by a client: one with thousands of watches cancels them all at once when it leaves. */
const resetAllowance = { burst: 100_000, perSecond: 10_000 };

/** Frames that lead to nothing: settings, empty data, what is not known. */
const idleFrameAllowance = { burst: 10_000, perSecond: 1_000 };

/** Streams that were reset from here, whose client may not have heard of it yet. */
const resetStreamsMax = 1_000;

/** Time that a client has to read why its connection ends. */
const farewellMs = 1_000;

/** The payload of the ping whose answer tells that the client has heard that no more streams are wanted. */
const drainPing = Buffer.from("draining");
const silencePing = Buffer.from("silence?");

/** Serves a connection whose client has begun to speak HTTP/2, with nothing read from it. */
export function serveHttp2(socket: Duplex, options: Http2Options): Http2Connection {
  return new ServerConnection(socket, options);
}

/** How far the end of a connection is. */
type Phase = "open" | "draining" | "last streams" | "over";

class ServerConnection implements Http2Connection, StreamHost {
  readonly sender: Sender;
  readonly #socket: Duplex;
  readonly #options: Http2Options;
  readonly #reader = new FrameReader((frame) => this.#onFrame(frame));
  readonly #assembler = new BlockAssembler();
  readonly #blocks = new BlockReader();
  readonly #streams = new Map<number, Http2Stream>();
  readonly #peerSettings = defaultPeerSettings();
  readonly #pings: PingPolicy;
  readonly #silence: SilenceWatch;
  readonly #resets = new TokenBucket(resetAllowance);
  readonly #idleFrames = new TokenBucket(idleFrameAllowance);
  readonly #resetFromHere = new Set<number>();
  /** Streams that are over, and whose receivers are told at the end of the turn. */
  #over: Http2Stream[] = [];
  #phase: Phase = "open";
  #hasSettings = false;
  #lastStreamId = 0;
  #windowBytes = connectionWindowBytes;
  #takenBytes = 0;

  constructor(socket: Duplex, options: Http2Options) {
    this.#socket = socket;
    this.#options = options;
    this.#pings = new PingPolicy(options.pingIntervalMinMs);
    this.sender = new Sender(socket, { onData: () => this.#pings.onSent(), onFlushed: () => this.#onFlushed() });
    this.#silence = new SilenceWatch(options, {
      ask: () => this.sender.send(pingFrame(silencePing, false)),
      onDead: () => this.destroy(),
    });
    this.#announce();
    socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
    // A client that has ended its half is gone; "close" follows an error, and says all that counts.
    socket.on("end", () => this.destroy());
    socket.on("error", () => undefined);
    socket.once("close", () => this.#onDisconnected());
    socket.resume();
  }

  close(): void {
    if (this.#phase !== "open") return;
    this.#phase = "draining";
    // Streams that are on their way are still taken (RFC 9113 §6.8); the answer to the ping comes behind them.
    this.sender.send(goawayFrame(windowBytesMax, errorCodes.noError, ""));
    this.sender.send(pingFrame(drainPing, false));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  onSending(): void {
    this.#pings.onSent();
  }

  onTaken(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#takenBytes < connectionWindowBytes / 2) return;
    this.sender.send(windowUpdateFrame(0, this.#takenBytes));
    this.#windowBytes += this.#takenBytes;
    this.#takenBytes = 0;
  }

  widenStream(streamId: number, bytes: number): void {
    this.sender.send(windowUpdateFrame(streamId, bytes));
  }

  onOver(stream: Http2Stream, resetCode: ErrorCode | undefined): void {
    this.#streams.delete(stream.id);
    if (resetCode !== undefined) this.#resetStream(stream.id, resetCode);
    this.#over.push(stream);
    // The end of the turn tells the receiver, also where nothing is to be sent.
    this.sender.touch();
  }

  #announce(): void {
    const { maxConcurrentStreams } = this.#options;
    const settings = [
      [settingIds.maxConcurrentStreams, maxConcurrentStreams],
      [settingIds.initialWindowSize, streamWindowBytes],
      [settingIds.maxHeaderListSize, fieldsBytesMax],
    ] as const;
    this.sender.send(settingsFrame(settings));
    this.sender.send(windowUpdateFrame(0, connectionWindowBytes - windowBytesDefault));
  }

  #onBytes(bytes: Buffer): void {
    this.#silence.onHeard();
    if (this.#phase === "over") return;
    try {
      this.#reader.push(bytes);
      if (this.sender.unsentBytes > unsentBytesMax)
        throw new ConnectionError(errorCodes.enhanceYourCalm, "what was sent is not read");
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#fail(error);
    }
    this.sender.flush();
  }

  /** @returns whether to go on */
  #onFrame(frame: Frame): boolean {
    const { type } = frame;
    if (!this.#hasSettings && (type !== frameTypes.settings || (frame.flags & flags.ack) !== 0))
      throw new ConnectionError(errorCodes.protocolError, "the first frame is not SETTINGS");
    if (this.#assembler.isOpen && type !== frameTypes.continuation)
      throw new ConnectionError(errorCodes.protocolError, "a frame within header fields");
    this.#handle(frame);
    return this.#phase !== "over";
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case frameTypes.data:
        this.#onData(frame);
        break;
      case frameTypes.headers:
        this.#onHeaders(frame);
        break;
      case frameTypes.continuation:
        this.#onBlock(this.#assembler.continue(frame));
        break;
      case frameTypes.rstStream:
        this.#onRstStream(frame);
        break;
      case frameTypes.settings:
        this.#onSettings(frame);
        break;
      case frameTypes.ping:
        this.#onPing(frame);
        break;
      case frameTypes.windowUpdate:
        this.#onWindowUpdate(frame);
        break;
      case frameTypes.pushPromise:
        throw new ConnectionError(errorCodes.protocolError, "PUSH_PROMISE of a client");
      case frameTypes.goaway:
        requireGoaway(frame);
        break;
      case frameTypes.priority:
        this.#onPriority(frame);
        break;
      default:
        this.#countIdleFrame();
    }
  }

  #onData(frame: Frame): void {
    const { streamId, payload } = frame;
    requireStream(frame);
    this.#windowBytes -= payload.length;
    if (this.#windowBytes < 0) throw new ConnectionError(errorCodes.flowControlError, "more data than was allowed");
    const isEnd = (frame.flags & flags.endStream) !== 0;
    if (payload.length === 0 && !isEnd) this.#countIdleFrame();
    const data = dataOf(frame);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      this.#requireResetFromHere(streamId);
      this.onTaken(payload.length);
      return;
    }
    stream.onData(data, payload.length);
    if (isEnd) stream.onRequestEnd();
  }

  #onHeaders(frame: Frame): void {
    requireStream(frame);
    this.#onBlock(this.#assembler.begin(frame));
  }

  #onBlock(block: HeaderBlock | undefined): void {
    if (block === undefined) return;
    if (block.streamId > this.#lastStreamId) this.#onRequest(block);
    else this.#onRequestTrailers(block);
  }

  #onRequest({ streamId, isEnd, block }: HeaderBlock): void {
    if (streamId % 2 === 0) throw new ConnectionError(errorCodes.protocolError, "a stream of an even number");
    this.#lastStreamId = streamId;
    const read = this.#blocks.read(block);
    // Whoever was told that no more streams are taken repeats them elsewhere.
    if (this.#phase === "last streams") return;
    if (this.#streams.size >= this.#options.maxConcurrentStreams || this.sender.waitingBytes > waitingBytesMax)
      this.#resetStream(streamId, errorCodes.refusedStream);
    else if (read.kind === "request") this.#open(streamId, read.fields, isEnd);
    else this.#resetStream(streamId, read.kind === "too long" ? errorCodes.enhanceYourCalm : errorCodes.protocolError);
  }

  #open(id: number, headers: HeaderFields, isEnd: boolean): void {
    const contentLength = contentLengthOf(headers);
    if (contentLength === "malformed") {
      this.#resetStream(id, errorCodes.protocolError);
      return;
    }
    const windowBytes = this.#peerSettings.initialWindowBytes;
    const stream = new Http2Stream(this, { id, windowBytes, contentLength });
    this.#streams.set(id, stream);
    if (isEnd) stream.onRequestEnd();
    if (!stream.isOver) stream.receive(this.#options.accept(stream, { headers, peer: this.#options.peer }));
  }

  #onRequestTrailers({ streamId, isEnd, block }: HeaderBlock): void {
    this.#blocks.read(block);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) this.#requireResetFromHere(streamId);
    else stream.onRequestTrailers(isEnd);
  }

  #onRstStream(frame: Frame): void {
    const { streamId } = frame;
    requireLength(frame, 4);
    this.#requireBegun(frame);
    if (!this.#resets.take()) throw new ConnectionError(errorCodes.enhanceYourCalm, "too many streams are reset");
    this.#streams.get(streamId)?.onReset();
  }

  #onSettings(frame: Frame): void {
    requireConnection(frame);
    this.#hasSettings = true;
    if ((frame.flags & flags.ack) !== 0) {
      requireLength(frame, 0);
      return;
    }
    this.#countIdleFrame();
    const before = this.#peerSettings.initialWindowBytes;
    readSettings(frame.payload, this.#peerSettings);
    const { initialWindowBytes, headerTableBytes } = this.#peerSettings;
    this.sender.limitTable(headerTableBytes);
    this.sender.send(settingsAck);
    const change = initialWindowBytes - before;
    if (change !== 0) for (const stream of this.#streams.values()) widenBy(stream, change);
  }

  #onPing(frame: Frame): void {
    requireConnection(frame);
    requireLength(frame, 8);
    if ((frame.flags & flags.ack) !== 0) {
      if (frame.payload.equals(drainPing)) this.#onDrained();
      return;
    }
    // Clients measure a connection on which a long response is under way, again and again.
    if (this.sender.unsentBytes > 0 || this.sender.waitingBytes > 0) this.#pings.onSent();
    this.sender.send(pingFrame(frame.payload, true));
    if (this.#pings.isTooMany({ nowMs: performance.now(), openStreams: this.#streams.size }))
      throw new ConnectionError(errorCodes.enhanceYourCalm, "too_many_pings");
  }

  #onWindowUpdate(frame: Frame): void {
    const { streamId, payload } = frame;
    requireLength(frame, 4);
    const bytes = payload.readUInt32BE() & windowBytesMax;
    if (streamId === 0) {
      if (bytes === 0) throw new ConnectionError(errorCodes.protocolError, "WINDOW_UPDATE of nothing");
      requireWindow(this.sender.windowBytes + bytes);
      this.sender.widen(bytes);
      return;
    }
    this.#requireBegun(frame);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (bytes === 0) stream.reset(errorCodes.protocolError);
    else if (stream.windowBytes + bytes > windowBytesMax) stream.reset(errorCodes.flowControlError);
    else stream.widen(bytes);
  }

  #onPriority(frame: Frame): void {
    requireStream(frame);
    this.#countIdleFrame();
    requireLength(frame, 5);
  }

  /** A frame that is only allowed on a stream that was opened. */
  #requireBegun(frame: Frame): void {
    requireStream(frame);
    if (frame.streamId > this.#lastStreamId) throw new ConnectionError(errorCodes.protocolError, "an idle stream");
  }

  /** A frame that came for a stream which is over: only one that has crossed a reset is no fault. */
  #requireResetFromHere(streamId: number): void {
    if (streamId > this.#lastStreamId) throw new ConnectionError(errorCodes.protocolError, "an idle stream");
    if (this.#phase === "last streams" || this.#resetFromHere.has(streamId)) return;
    throw new ConnectionError(errorCodes.streamClosed, "a stream that is over");
  }

  #countIdleFrame(): void {
    if (!this.#idleFrames.take()) throw new ConnectionError(errorCodes.enhanceYourCalm, "too many frames for nothing");
  }

  #resetStream(streamId: number, code: ErrorCode): void {
    this.sender.send(rstStreamFrame(streamId, code));
    this.#resetFromHere.add(streamId);
    if (this.#resetFromHere.size <= resetStreamsMax) return;
    for (const oldest of this.#resetFromHere) {
      this.#resetFromHere.delete(oldest);
      break;
    }
  }

  /** The client has heard that no more streams are wanted: the last one is known now. */
  #onDrained(): void {
    if (this.#phase !== "draining") return;
    this.#phase = "last streams";
    this.sender.send(goawayFrame(this.#lastStreamId, errorCodes.noError, ""));
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#phase !== "last streams" || this.#streams.size > 0) return;
    this.#end();
  }

  #fail({ code, message }: ConnectionError): void {
    this.sender.send(goawayFrame(this.#lastStreamId, code, message));
    this.#end();
  }

  /** Ends the connection behind what is to be sent; whoever does not take that is left. */
  #end(): void {
    this.#phase = "over";
    this.sender.flush();
    for (const stream of this.#streams.values()) stream.onReset();
    this.#socket.end();
    const timer = setTimeout(() => this.destroy(), farewellMs);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  #onFlushed(): void {
    const over = this.#over;
    if (over.length === 0) return;
    this.#over = [];
    for (const stream of over) stream.receiver?.onClose();
    this.#endIfDone();
  }

  #onDisconnected(): void {
    this.#phase = "over";
    this.#silence.stop();
    for (const stream of this.#streams.values()) stream.onReset();
    this.#onFlushed();
    this.#options.onClose();
  }
}

function widenBy(stream: Http2Stream, bytes: number): void {
  requireWindow(stream.windowBytes + bytes);
  stream.widen(bytes);
}
