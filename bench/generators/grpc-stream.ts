/** @module Streams of gRPC on bare `node:http2`, for generators that must not be slower than what they measure. */
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import type { Codec } from "@conclave/protocol";

const windowBytes = 16 * 1024 * 1024;

/** Opens a connection that lets the server send ahead. */
export async function openSession(url: string): Promise<ClientHttp2Session> {
  const session = http2.connect(url, { settings: { initialWindowSize: windowBytes } });
  await new Promise<void>((resolve, reject) => session.once("connect", () => resolve()).once("error", reject));
  session.setLocalWindowSize(windowBytes);
  return session;
}

/** A call whose sides both stream. */
export interface GrpcStream {
  /** Sends a request. */
  send(message: Uint8Array): void;
}

/** Opens a stream; each response is handed over as bytes, valid until the call returns. */
export function openStream(
  session: ClientHttp2Session,
  { path, onMessage }: { readonly path: string; readonly onMessage: (bytes: Buffer) => void },
): GrpcStream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  readMessages(stream, onMessage);
  return { send: (message) => void stream.write(frame(message)) };
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

function readMessages(stream: ClientHttp2Stream, onMessage: (bytes: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length >= at + 5 && bytes.length >= at + 5 + bytes.readUInt32BE(at + 1)) {
      const end = at + 5 + bytes.readUInt32BE(at + 1);
      onMessage(bytes.subarray(at + 5, end));
      at = end;
    }
    rest = bytes.subarray(at);
  });
  stream.on("trailers", (trailers) => {
    throw new Error(`A stream ended: ${trailers["grpc-status"]} ${trailers["grpc-message"]}`);
  });
}

/** The bytes of a message. */
export function encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
  return codec.encode(message).finish();
}
