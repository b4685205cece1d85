/** @module One call over HTTP/2, as gRPC has it. */
import { type ClientHttp2Stream, constants } from "node:http2";
import { timerMsMax } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import type { Http2Connection } from "./http2-connection.ts";
import { type CallEnd, endOfFields, errorOfReset, errorOfResponse } from "./http2-status.ts";
import { MessageReader } from "./message-reader.ts";
import { type CallMetadata, type ClientStream, type StreamCall, type StreamSink, TransportError } from "./transport.ts";

const headBytes = 5;
/** The header holds eight digits. */
const timeoutMax = 99_999_999;

/** What a call begins with. */
interface CallHead extends StreamCall {
  /** The patience that the member is told of. */
  readonly timeoutMs: number;
}

/** A call on a connection that is up. */
export class Http2Call implements ClientStream {
  readonly #connection: Http2Connection;
  readonly #stream: ClientHttp2Stream;
  readonly #sink: StreamSink;
  #end: CallEnd | undefined;
  /** What Node says of a stream that failed here. */
  #cause: Error | undefined;
  #isOver = false;

  /**
   * Sends the head of the request.
   *
   * @param connection - up; its `beginCall` has been called, and its `endCall` is when the call is over
   * @param call - what to call
   * @throws TypeError if metadata hold what no header may
   */
  constructor(connection: Http2Connection, call: CallHead, sink: StreamSink) {
    this.#connection = connection;
    this.#sink = sink;
    this.#stream = connection.session.request({
      ":method": "POST",
      ":path": call.path,
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "conclave",
      ...timeoutField(call.timeoutMs),
      ...checkedFields(call.metadata),
    });
    const reader = new MessageReader((message) => {
      if (!this.#isOver) sink.onMessage(message);
    });
    this.#stream
      .on("response", (fields) => {
        this.#end = endOfFields(fields);
        const error = errorOfResponse(fields);
        if (error !== undefined) this.#end ??= { error };
      })
      .on("trailers", (fields) => {
        this.#end ??= endOfFields(fields);
      })
      .on("data", (chunk: Uint8Array) => this.#read(reader, chunk))
      .on("end", () => this.#finish(this.#end?.error === undefined && reader.isMidway ? cutShort() : this.#end))
      .on("error", (error) => {
        this.#cause = error;
      })
      .on("close", () => this.#finish(this.#end ?? this.#broken()));
  }

  write(message: Uint8Array): void {
    if (this.#isOver || this.#stream.writableEnded) return;
    this.#stream.write(framed(message));
  }

  halfClose(): void {
    this.#stream.end();
  }

  /** Sends the only request, and says that no more follow. */
  writeLast(message: Uint8Array): void {
    this.#stream.end(framed(message));
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#over();
    this.#stream.close(constants.NGHTTP2_CANCEL);
    // What was paused would keep the end of the stream in its buffer.
    this.#stream.resume();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #read(reader: MessageReader, chunk: Uint8Array): void {
    if (this.#isOver) return;
    try {
      reader.read(chunk);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#finish({ error });
      this.#stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  /** Undefined: the stream has ended and said nothing, and is about to say why. */
  #finish(end: CallEnd | undefined): void {
    if (this.#isOver || end === undefined) return;
    this.#over();
    this.#sink.onEnd(end.error);
  }

  #over(): void {
    this.#isOver = true;
    this.#connection.endCall();
  }

  /** Why a stream has closed that had no status. */
  #broken(): CallEnd {
    const { rstCode = constants.NGHTTP2_NO_ERROR } = this.#stream;
    if (this.#connection.session.destroyed) return { error: this.#connection.failure };
    if (rstCode !== constants.NGHTTP2_NO_ERROR) return { error: errorOfReset(rstCode, this.#cause) };
    const message = this.#cause?.message ?? "the stream has ended without a status";
    return { error: new TransportError(GrpcStatus.Internal, message, { cause: this.#cause }) };
  }
}

function cutShort(): CallEnd {
  return { error: new TransportError(GrpcStatus.Internal, "the stream has ended within a message") };
}

/** What a header may hold as text (gRPC's ASCII-Value); Node sends whatever it is given. */
const asciiValue = /^[ -~]*$/;

function checkedFields(metadata: CallMetadata): CallMetadata {
  for (const name in metadata)
    if (!asciiValue.test(metadata[name] ?? ""))
      throw new TypeError(`Cannot send the metadata ${name} as it holds what is not printable ASCII`);
  return metadata;
}

/** What is too long for a timer is not told: the caller's own clock runs. */
function timeoutField(timeoutMs: number): { readonly "grpc-timeout"?: string } {
  if (timeoutMs > timerMsMax) return {};
  const wholeMs = Math.max(1, Math.ceil(timeoutMs));
  return { "grpc-timeout": wholeMs <= timeoutMax ? `${wholeMs}m` : `${Math.ceil(wholeMs / 1_000)}S` };
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, headBytes);
  return frame;
}
