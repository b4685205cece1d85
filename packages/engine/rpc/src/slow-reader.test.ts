import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { createRpcServer } from "./rpc-server.ts";
import { keyValue } from "./testing/echo-service.ts";
import { RawClient } from "./testing/raw-client.ts";
import { openCalls, startEchoServer } from "./testing/start-server.ts";

const responseBytes = 10_000;
const highWaterBytes = 100_000;
const flood = frameMessage(KeyValue.encode(keyValue("flood", new Uint8Array(responseBytes))).finish());

/** The bytes that a handler reported as waiting. */
function waitingBytes(happening: string): number {
  return Number(/^full: (\d+)$/.exec(happening)?.[1]);
}

describe("a client that does not read its stream", () => {
  test("stops the handler above the high-water mark, and starts it again when it reads", async () => {
    await using echo = await startEchoServer({ highWaterBytes });
    using client = new RawClient(echo.url);
    const { stream } = client.open("/test.Echo/Count");
    stream.pause();
    stream.end(flood);
    for (let stops = 0; stops < 5; stops++) {
      const waiting = waitingBytes(await echo.happenings.next());
      expect(waiting).toBeGreaterThan(highWaterBytes);
      expect(waiting).toBeLessThan(highWaterBytes + 2 * responseBytes);
      stream.resume();
    }
  });

  test("does not stop other streams of its connection", async () => {
    await using echo = await startEchoServer({ highWaterBytes });
    using client = new RawClient(echo.url);
    await once(client.session, "connect");
    client.session.setLocalWindowSize(10_000_000);
    const { stream } = client.open("/test.Echo/Count");
    stream.pause();
    stream.end(flood);
    await echo.happenings.next();
    const hello = frameMessage(KeyValue.encode(keyValue("echo", "hello")).finish());
    expect((await client.send("/test.Echo/Say", [hello])).body).toEqual(Buffer.from(hello));
  });

  test("and cancels ends the handler that waits for room", async () => {
    await using echo = await startEchoServer({ highWaterBytes });
    using client = new RawClient(echo.url);
    const { stream } = client.open("/test.Echo/Count");
    stream.pause();
    stream.end(flood);
    await echo.happenings.next();
    stream.destroy();
    await expect.poll(() => openCalls(echo.server)).toBe(0);
    expect(echo.faults).toEqual([]);
  });
});

test("a mark below what Node itself holds is refused, as nothing would tell when there is room again", () => {
  expect(() => createRpcServer({ services: [], highWaterBytes: 65_535 })).toThrow(
    "'highWaterBytes' must be at least 65536: current value is 65535",
  );
});

/** A proxy that can stop reading from the server, as a machine that hangs does. */
async function startProxy(url: string): Promise<{ readonly url: string; hang(): void } & Disposable> {
  const sockets: Socket[] = [];
  let server: Socket | undefined;
  const proxy = createServer((client) => {
    server = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
    for (const socket of [client, server]) socket.on("error", () => undefined);
    sockets.push(client, server);
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    hang: () => void server?.unpipe().pause(),
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}

// The window may be as wide as HTTP/2 allows: what the sockets do not take is not written.
test("a client whose machine hangs costs no more than the sockets hold and the high-water mark", async () => {
  await using echo = await startEchoServer({ highWaterBytes });
  using proxy = await startProxy(echo.url);
  using client = new RawClient(proxy.url, { settings: { initialWindowSize: 2 ** 31 - 1 } });
  await once(client.session, "connect");
  client.session.setLocalWindowSize(2 ** 31 - 1);
  const { stream } = client.open("/test.Echo/Count");
  stream.end(flood);
  await new Promise((resolve) => stream.once("data", resolve));
  proxy.hang();
  const sentBytes = (): number =>
    responseBytes * (echo.server.stats.find(({ method }) => method === "Count")?.sent ?? 0);
  let before = -1;
  const hasStopped = (): boolean => {
    const [previous, now] = [before, sentBytes()];
    before = now;
    return previous === now;
  };
  await expect.poll(hasStopped, { interval: 100, timeout: 10_000 }).toBe(true);
  const stoppedAt = sentBytes();
  expect(stoppedAt).toBeLessThan(100_000_000);
  // Nothing moves any more: the handler waits though the client's window has 2 GB of room.
  await expect.poll(hasStopped, { interval: 100 }).toBe(true);
  expect(sentBytes()).toBe(stoppedAt);
  expect(openCalls(echo.server)).toBe(1);
});

test("a client that sends more than its handler reads is stopped by flow control", async () => {
  await using echo = await startEchoServer();
  using client = new RawClient(echo.url);
  const { stream } = client.open("/test.Echo/Chat");
  stream.write(frameMessage(KeyValue.encode(keyValue("deaf")).finish()));
  expect(await echo.happenings.next()).toBe("waiting");
  // Ten times what a stream's window holds.
  const megabyte = frameMessage(KeyValue.encode(keyValue("echo", new Uint8Array(1_000_000))).finish());
  for (let sent = 0; sent < 5; sent++) stream.write(megabyte);
  await expect.poll(() => client.session.state.outboundQueueSize, { interval: 20 }).toBe(0);
  await expect.poll(() => stream.writableLength).toBeGreaterThan(3_000_000);
});
