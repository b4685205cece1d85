/** @module Many open watches over few connections, on plain HTTP/2: what a busy member has when it is told to stop. */
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { utf8 } from "@conclave/base";
import { WatchRequest } from "@conclave/protocol/etcdserverpb";

/** Watches that are open. Disposing of them closes the connections. */
export interface OpenWatches extends AsyncDisposable {
  /** The gRPC status that each stream ended with, once all have ended; "none" for one that was cut off. */
  readonly statuses: Promise<readonly string[]>;
}

/** Opens streams with one watch each, and resolves when the member has acknowledged all of them. */
export async function openWatches(
  endpoint: string,
  { connections, streamsPerConnection }: { readonly connections: number; readonly streamsPerConnection: number },
): Promise<OpenWatches> {
  const sessions = await Promise.all(Array.from({ length: connections }, () => connected(endpoint)));
  const streams = sessions.flatMap((session) =>
    Array.from({ length: streamsPerConnection }, (_, at) => openWatch(session, `key-${at}`)),
  );
  await Promise.all(streams.map((stream) => once(stream, "data")));
  return {
    statuses: Promise.all(streams.map(statusOf)),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
    },
  };
}

async function connected(endpoint: string): Promise<ClientHttp2Session> {
  const session = connect(`http://${endpoint}`);
  await once(session, "connect");
  return session.on("error", () => {}); // A member that stops cuts off what does not end.
}

function openWatch(session: ClientHttp2Session, key: string): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": "/etcdserverpb.Watch/Watch",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const requestUnion = { $case: "createRequest" as const, value: { key: utf8(key) } };
  stream.write(grpcFrame(WatchRequest.encode(WatchRequest.fromPartial({ requestUnion })).finish()));
  return stream.on("error", () => {});
}

/** A message with gRPC's five bytes before it. */
export function grpcFrame(message: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

function statusOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    stream.on("trailers", (trailers) => resolve(String(trailers["grpc-status"])));
    stream.on("close", () => resolve("none"));
    stream.resume();
  });
}
