import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { createRpcServer } from "./rpc-server.ts";
import { createEchoService, keyValue } from "./testing/echo-service.ts";
import { RawClient } from "./testing/raw-client.ts";
import { startEchoServer } from "./testing/start-server.ts";

const hello = frameMessage(KeyValue.encode(keyValue("echo", "hello")).finish());

async function grpcStatus(url: string, session = {}): Promise<unknown> {
  using client = new RawClient(url, session);
  const { trailers } = await client.send("/test.Echo/Say", [hello]);
  return trailers?.["grpc-status"];
}

async function get(options: { readonly port?: string; readonly socketPath?: string }): Promise<string> {
  const request = httpRequest({ host: "127.0.0.1", path: "/version", agent: false, ...options }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return `${response.statusCode} ${Buffer.concat(await response.toArray())}`;
}

/** A connection of bare bytes. */
async function dial(url: string): Promise<Socket> {
  const { port, hostname } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Everything that the server sends until it ends the connection. */
async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

describe("one address", () => {
  test("serves gRPC and HTTP/1.1", async () => {
    await using echo = await startEchoServer({
      http1: (request, response) => response.end(`you asked ${request.url}`),
    });
    const { port } = new URL(echo.url);
    expect(await grpcStatus(echo.url)).toBe("0");
    expect(await get({ port })).toBe("200 you asked /version");
    expect(await grpcStatus(echo.url)).toBe("0");
  });

  test("answers HTTP/1.1 with 404 if nobody else does", async () => {
    await using echo = await startEchoServer();
    expect(await get({ port: new URL(echo.url).port })).toBe("404 ");
  });

  test("tells them apart though the bytes come one by one", async () => {
    await using echo = await startEchoServer({ http1: (_request, response) => response.end("one") });
    const socket = await dial(echo.url);
    const answer = readAll(socket);
    for (const byte of "PROPFIND / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n") {
      await new Promise((resolve) => socket.write(byte, resolve));
    }
    expect(await answer).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\none$/s);

    const preface = await dial(echo.url);
    for (const byte of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
      await new Promise((resolve) => preface.write(byte, resolve));
    }
    // The server's SETTINGS: a frame of type 4 on stream 0.
    const [settings] = (await once(preface, "data")) as [Buffer];
    expect([settings[3], settings.readUInt32BE(5)]).toEqual([4, 0]);
    preface.destroy();
  });

  test("answers a client of HTTP/1.1 that ends its half with the request", async () => {
    await using echo = await startEchoServer({
      http1: (_request, response) => void setImmediate(() => response.end("late")),
    });
    const socket = await dial(echo.url);
    socket.end("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    expect(await readAll(socket)).toMatch(/late$/);
  });
});

describe("listen", () => {
  test("takes several addresses, unix sockets among them", async () => {
    const directory = await mkdtemp(join(tmpdir(), "conclave-rpc-"));
    const path = join(directory, "socket");
    const { binding } = createEchoService();
    const server = createRpcServer({ services: [binding], http1: (_request, response) => response.end("unix") });
    const urls = await server.listen("http://127.0.0.1:0", "http://localhost:0", `unix://${path}`);
    try {
      expect(urls[2]).toBe(`unix://${path}`);
      for (const url of urls.slice(0, 2)) expect(await grpcStatus(url)).toBe("0");
      expect(await grpcStatus("http://localhost", { createConnection: () => connect({ path }) })).toBe("0");
      expect(await get({ socketPath: path })).toBe("200 unix");
    } finally {
      await server.close();
      await rm(directory, { recursive: true });
    }
  });

  test("takes over the file of a unix socket that nobody listens on, and no other", async () => {
    const directory = await mkdtemp(join(tmpdir(), "conclave-rpc-"));
    const url = `unix://${join(directory, "socket")}`;
    const { binding } = createEchoService();
    const [first, second] = [createRpcServer({ services: [binding] }), createRpcServer({ services: [binding] })];
    try {
      await first.listen(url);
      await expect(second.listen(url)).rejects.toMatchObject({ code: "EADDRINUSE" });
    } finally {
      await Promise.all([first.close(), second.close()]);
      await rm(directory, { recursive: true });
    }
  });

  test("listens on nothing if one address fails", async () => {
    await using echo = await startEchoServer();
    const { binding } = createEchoService();
    const server = createRpcServer({ services: [binding] });
    await expect(server.listen("http://127.0.0.1:0", echo.url)).rejects.toMatchObject({ code: "EADDRINUSE" });
    const [url = ""] = await server.listen("http://127.0.0.1:0");
    await server.close();
    await expect(dialed(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("is refused by a server that was closed", async () => {
    const server = createRpcServer({ services: [] });
    await server.close();
    await expect(server.listen("http://127.0.0.1:0")).rejects.toThrow("Cannot listen as the server is closed");
  });
});

async function dialed(url: string): Promise<void> {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
  await once(socket, "connect");
}

describe("a connection", () => {
  test.each(["", "PRI * HTTP/2.0\r\n\r\nSM", "PR"])("that says only %j is ended after a while", async (bytes) => {
    await using echo = await startEchoServer({ handshakeTimeoutMs: 30 });
    const socket = await dial(echo.url);
    socket.write(bytes);
    expect(await readAll(socket)).toBe("");
    await expect.poll(() => echo.server.connections).toBe(0);
  });

  /** Begins a request that never gets to its body, and waits until it is ended for that. */
  async function outstayHeaders(url: string): Promise<string> {
    const socket = await dial(url);
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n");
    return readAll(socket);
  }

  test("of HTTP/1.1 whose header fields do not end is ended after a while", async () => {
    await using echo = await startEchoServer({ handshakeTimeoutMs: 30 });
    expect(await outstayHeaders(echo.url)).toMatch(/^HTTP\/1.1 408 /);
  });

  test("of HTTP/1.1 whose body stays open is kept", async () => {
    const http1: RequestListener = (request, response) => void request.on("data", (chunk) => response.write(chunk));
    await using echo = await startEchoServer({ handshakeTimeoutMs: 20, http1 });
    const socket = await dial(echo.url);
    socket.write("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n");
    const [first] = (await once(socket, "data")) as [Buffer];
    for (let times = 0; times < 3; times++) await outstayHeaders(echo.url);
    socket.write("1\r\nb\r\n");
    const [second] = (await once(socket, "data")) as [Buffer];
    expect([`${first}`, `${second}`]).toEqual([expect.stringMatching(/a\r\n$/), expect.stringMatching(/b\r\n$/)]);
    socket.destroy();
  });

  test("that says nothing and leaves is forgotten", async () => {
    await using echo = await startEchoServer();
    const socket = await dial(echo.url);
    socket.end();
    await once(socket.resume(), "close");
    await expect.poll(() => echo.server.connections).toBe(0);
  });

  test("of HTTP/2 that turns to nonsense is ended", async () => {
    await using echo = await startEchoServer();
    const socket = await dial(echo.url);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense nonsense nonsense");
    // After its SETTINGS the server says GOAWAY (type 7).
    expect(await readAll(socket)).toContain("\x07\x00\x00\x00\x00\x00");
    expect(echo.faults).toEqual([]);
  });

  test("above the bound is refused, and there is room again when one ends", async () => {
    await using echo = await startEchoServer({ maxConnections: 1 });
    const first = await dial(echo.url);
    first.write("P");
    const second = await dial(echo.url);
    expect(await readAll(second)).toBe("");
    first.end();
    await once(first.resume(), "close");
    expect(await grpcStatus(echo.url)).toBe("0");
  });

  test("has no more streams at once than it may", async () => {
    await using echo = await startEchoServer({ maxConcurrentStreams: 3 });
    using client = new RawClient(echo.url);
    const [settings] = (await once(client.session, "remoteSettings")) as [{ maxConcurrentStreams: number }];
    expect(settings.maxConcurrentStreams).toBe(3);
  });
});
