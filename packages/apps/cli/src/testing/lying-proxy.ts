/**
 * @module A server that lies: a real member, and between it and its clients a proxy that changes some answers. Calls
 * are taken apart at the frames of HTTP/2, so that everything that is not a lie passes as it is.
 */
import { once } from "node:events";
import {
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** A change of answers. */
export interface Lie {
  /** The path of the method whose answers are changed, such as `/etcdserverpb.KV/Range`. */
  readonly path: string;
  /**
   * Changes an answer.
   *
   * @param answer - the message of the member, or one of its stream
   * @param request - the message of the client; of a stream, none
   * @returns what the client is told instead: nothing, one message or several
   */
  tell(answer: Buffer, request: Buffer): readonly Uint8Array[];
}

/** A running proxy. Disposing of it closes its connections. */
export interface LyingProxy extends AsyncDisposable {
  /** Where it serves, as `127.0.0.1:port`. */
  readonly endpoint: string;
}

/**
 * Starts a proxy before a member.
 *
 * @param onLie - called whenever an answer was changed
 */
export async function startLyingProxy(memberUrl: string, lie: Lie, onLie: () => void): Promise<LyingProxy> {
  const upstream = connect(memberUrl);
  const server = createServer();
  const sessions = new Set<Duplex | { destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const call = upstream.request(headers, { endStream: false });
    stream.on("error", () => call.close(constants.NGHTTP2_CANCEL));
    stream.on("close", () => call.close(constants.NGHTTP2_CANCEL));
    call.on("error", () => stream.destroy());
    relay(stream, call, headers[":path"] === lie.path ? heard(lie, onLie) : undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      upstream.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** The same lie, of which somebody is told. */
function heard(lie: Lie, onLie: () => void): Lie {
  return {
    path: lie.path,
    tell(answer, request) {
      const told = lie.tell(answer, request);
      if (told.length !== 1 || told[0] !== answer) onLie();
      return told;
    },
  };
}

function relay(stream: ServerHttp2Stream, call: ClientHttp2Stream, lie: Lie | undefined): void {
  const request: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => {
    request.push(chunk);
    call.write(chunk);
  });
  stream.on("end", () => call.end());
  call.on("response", (headers) => {
    stream.respond(withoutPseudo(headers), { waitForTrailers: true });
  });
  let trailers: IncomingHttpHeaders = {};
  call.on("trailers", (headers) => {
    trailers = withoutPseudo(headers);
  });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  const told = lie === undefined ? undefined : framed((answer) => lie.tell(answer, messageIn(Buffer.concat(request))));
  call.on("data", (chunk: Buffer) => {
    for (const bytes of told === undefined ? [chunk] : told(chunk)) stream.write(bytes);
  });
  call.on("end", () => stream.end());
}

function withoutPseudo(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name === ":status" || !name.startsWith(":")));
}

const prefixBytes = 5;

function messageIn(frame: Buffer): Buffer {
  return frame.subarray(prefixBytes);
}

/** Cuts a stream of bytes into messages and puts what is made of each into frames again. */
function framed(tell: (message: Buffer) => readonly Uint8Array[]): (chunk: Buffer) => readonly Buffer[] {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const frames: Buffer[] = [];
    while (rest.length >= prefixBytes && rest.length >= prefixBytes + rest.readUInt32BE(1)) {
      const end = prefixBytes + rest.readUInt32BE(1);
      frames.push(...tell(rest.subarray(prefixBytes, end)).map(frameOf));
      rest = rest.subarray(end);
    }
    return frames;
  };
}

function frameOf(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
