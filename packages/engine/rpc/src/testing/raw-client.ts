/**
 * @module A client of bare HTTP/2 streams: it sends what no gRPC client would.
 */
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from "node:http2";

/** What a request begins with; what is left out is as a gRPC client sends it. */
export type RawHead = Readonly<Record<string, string>>;

/** Everything that came back on a stream. */
export interface RawAnswer {
  /** The header fields; undefined if none came. */
  readonly headers: IncomingHttpHeaders | undefined;
  /** The trailers; of a Trailers-Only answer its header fields. */
  readonly trailers: IncomingHttpHeaders | undefined;
  /** The bytes of the body. */
  readonly body: Buffer;
  /** The code of the reset that ended the stream; 0 for none. */
  readonly resetCode: number;
}

/** A stream under way. */
export interface RawStream {
  /** The stream itself. */
  readonly stream: ClientHttp2Stream;
  /** What came back, when the stream is gone. */
  readonly answer: Promise<RawAnswer>;
}

/** One connection. */
export class RawClient implements Disposable {
  /** The connection itself. */
  readonly session: ClientHttp2Session;

  constructor(url: string, options: http2.ClientSessionOptions = {}) {
    this.session = http2.connect(url, options);
    // A test that means to break a connection looks at its streams.
    this.session.on("error", () => undefined);
  }

  /** Opens a stream. */
  open(path: string, head: RawHead = {}): RawStream {
    const stream = this.session.request(
      { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...head },
      { endStream: false },
    );
    return { stream, answer: collect(stream) };
  }

  /** Sends a whole body, in chunks of its own, and waits for the answer. */
  async send(path: string, chunks: readonly Uint8Array[], head: RawHead = {}): Promise<RawAnswer> {
    const { stream, answer } = this.open(path, head);
    for (const chunk of chunks) {
      if (stream.destroyed) break;
      // Written one by one, so that each is a frame of its own.
      await new Promise((resolve) => stream.write(chunk, resolve));
    }
    if (!stream.destroyed) stream.end();
    return answer;
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}

function collect(stream: ClientHttp2Stream): Promise<RawAnswer> {
  let headers: IncomingHttpHeaders | undefined;
  let trailers: IncomingHttpHeaders | undefined;
  const chunks: Buffer[] = [];
  stream.on("response", (fields, flags) => {
    headers = fields;
    if ((flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0) trailers = fields;
  });
  stream.on("trailers", (fields) => {
    trailers = fields;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => undefined);
  return new Promise((resolve) => {
    stream.on("close", () =>
      resolve({ headers, trailers, body: Buffer.concat(chunks), resetCode: stream.rstCode ?? 0 }),
    );
  });
}
