import { once } from "node:events";
import { connect } from "node:net";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { keyValue } from "./testing/echo-service.ts";
import { RawClient } from "./testing/raw-client.ts";
import { startEchoServer } from "./testing/start-server.ts";

const hello = frameMessage(KeyValue.encode(keyValue("echo", "hello")).finish());

async function connected(url: string): Promise<RawClient> {
  const client = new RawClient(url);
  await once(client.session, "connect");
  return client;
}

function ping({ session }: RawClient): Promise<void> {
  return new Promise((resolve, reject) => {
    session.ping((error) => (error === null ? resolve() : reject(error)));
  });
}

describe("a client that pings", () => {
  test("too often loses its connection at the third strike", async () => {
    await using echo = await startEchoServer();
    using client = await connected(echo.url);
    const goaway = once(client.session, "goaway");
    const { stream, answer } = client.open("/test.Echo/Say");
    stream.write(hello);
    for (let pings = 0; pings < 3; pings++) await ping(client);
    expect(client.session.destroyed).toBe(false);
    client.session.ping(() => undefined);
    const [code, , reason] = (await goaway) as [number, number, Buffer];
    expect([code, reason.toString()]).toEqual([11, "too_many_pings"]);
    await answer;
  });

  test("as often while it gets responses keeps its connection", async () => {
    await using echo = await startEchoServer();
    using client = await connected(echo.url);
    for (let pings = 0; pings < 10; pings++) {
      await ping(client);
      const { trailers } = await client.send("/test.Echo/Say", [hello]);
      expect(trailers?.["grpc-status"]).toBe("0");
    }
  });

  test("no more often than it may keeps its connection", async () => {
    await using echo = await startEchoServer({ pingIntervalMinMs: 0 });
    using client = await connected(echo.url);
    client.open("/test.Echo/Say").stream.write(hello);
    for (let pings = 0; pings < 10; pings++) await ping(client);
    expect(client.session.destroyed).toBe(false);
  });
});

describe("a client that is silent", () => {
  // Frames as bytes: SETTINGS (empty), its acknowledgement, and the acknowledgement of a ping.
  const preface = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0), frame(4, 1)]);
  const times = { keepAliveIntervalMs: 20, keepAliveTimeoutMs: 20 };

  function frame(type: number, flags: number, payload = Buffer.alloc(0)): Buffer {
    return Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, 0]), payload]);
  }

  test("is pinged, and loses its connection if it does not answer", async () => {
    await using echo = await startEchoServer(times);
    const socket = connect({ port: Number(new URL(echo.url).port), host: "127.0.0.1" });
    const received: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => received.push(bytes));
    socket.write(preface);
    await once(socket, "close");
    expect(framesOf(Buffer.concat(received))).toContain("6/0");
  });

  test("and answers keeps its connection", async () => {
    await using echo = await startEchoServer(times);
    const socket = connect({ port: Number(new URL(echo.url).port), host: "127.0.0.1" });
    let pings = 0;
    const pinged = new Promise<void>((resolve) => {
      socket.on("data", (bytes: Buffer) => {
        for (const kind of framesOf(bytes)) {
          if (kind !== "6/0") continue;
          socket.write(frame(6, 1, Buffer.alloc(8)));
          if (++pings === 3) resolve();
        }
      });
    });
    socket.write(preface);
    await pinged;
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });

  test.each([
    ["an interval of 0", { ...times, keepAliveIntervalMs: 0 }],
    ["a time to answer of 0", { ...times, keepAliveTimeoutMs: 0 }],
    ["an interval longer than Node's timers", { ...times, keepAliveIntervalMs: 2 ** 32 }],
  ])("is not pinged with %s", async (_name, options) => {
    await using echo = await startEchoServer(options);
    const socket = connect({ port: Number(new URL(echo.url).port), host: "127.0.0.1" });
    const received: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => received.push(bytes));
    socket.write(preface);
    await new Promise((resolve) => setTimeout(resolve, 5 * times.keepAliveIntervalMs));
    expect(framesOf(Buffer.concat(received))).not.toContain("6/0");
    socket.destroy();
  });

  /** Type and flags of each frame. */
  function framesOf(bytes: Buffer): readonly string[] {
    const frames: string[] = [];
    for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
      frames.push(`${bytes[at + 3]}/${bytes[at + 4]}`);
    }
    return frames;
  }
});
