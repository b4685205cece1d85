import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { keyValue } from "./testing/echo-service.ts";
import { startEchoServer } from "./testing/start-server.ts";

const hello = frameMessage(KeyValue.encode(keyValue("echo", "hello")).finish());

/** A call by Node's own client, which takes any authority; sent as soon as it is connected, or once it has seen settings. */
async function call(url: string, authority: string, when: "connect" | "remoteSettings"): Promise<unknown> {
  const session = connectHttp2(url);
  try {
    await once(session, when);
    const stream = session.request({
      ":method": "POST",
      ":path": "/test.Echo/Say",
      ":authority": authority,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let trailers: Record<string, unknown> | undefined;
    stream.on("trailers", (fields) => {
      trailers = fields;
    });
    stream.end(hello);
    stream.resume();
    await once(stream, "close");
    return trailers?.["grpc-status"];
  } finally {
    session.destroy();
  }
}

/** A way to a server on which bytes go one by one. */
async function startSlowProxy(url: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(Number(new URL(url).port), "127.0.0.1");
    for (const socket of [client, server]) sockets.add(socket.on("error", () => undefined).setNoDelay(true));
    client.on("data", (bytes) => {
      for (const byte of bytes) server.write(Uint8Array.of(byte));
    });
    server.pipe(client);
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const address = proxy.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}

describe("a client that gives a URL as authority, as those of etcd 3.4 do", () => {
  const authorities = ["http://127.0.0.1:2379", "https://m1.example:2379", "m1:2379"];

  test.each(authorities)("is served as %s", async (authority) => {
    await using echo = await startEchoServer();
    expect(await call(echo.url, authority, "connect")).toBe("0");
    expect(await call(echo.url, authority, "remoteSettings")).toBe("0");
  });

  test.each(authorities)("is served as %s when its bytes come one by one", async (authority) => {
    await using echo = await startEchoServer();
    await using proxy = await startSlowProxy(echo.url);
    expect(await call(proxy.url, authority, "connect")).toBe("0");
    expect(await call(proxy.url, authority, "remoteSettings")).toBe("0");
  });
});

test("a client that has no request yet is served when it has one", async () => {
  await using echo = await startEchoServer();
  const session = connectHttp2(echo.url);
  await once(session, "remoteSettings");
  const ping = new Promise<number>((resolve) => session.ping((_error, tookMs) => resolve(tookMs)));
  expect(await ping).toBeGreaterThan(0);
  session.destroy();
});
