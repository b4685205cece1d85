import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { bindService, unimplemented } from "./service.ts";
import { EchoClient } from "./testing/echo-client.ts";
import { EchoDefinition, keyValue } from "./testing/echo-service.ts";
import { type RawAnswer, RawClient } from "./testing/raw-client.ts";
import { openCalls, startEchoServer } from "./testing/start-server.ts";

const request = (key: string): Uint8Array => frameMessage(KeyValue.encode(keyValue(key)).finish());
const status = ({ trailers }: RawAnswer): string => `${trailers?.["grpc-status"]} ${trailers?.["grpc-message"] ?? ""}`;

/** Longer than any test: what ends before it did not need it. */
const graceMs = 60_000;

/** A service whose unary call waits until it is told to answer. */
function createGate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const binding = bindService(EchoDefinition, {
    say: (said) => opened.then(() => said),
    count: unimplemented,
    join: unimplemented,
    chat: unimplemented,
    never: unimplemented,
  });
  return { open, binding };
}

describe("close()", () => {
  test("lets a call with one response finish", async () => {
    const gate = createGate();
    await using echo = await startEchoServer({ services: [gate.binding] });
    using client = new RawClient(echo.url);
    const { stream, answer } = client.open("/test.Echo/Say");
    stream.end(request("echo"));
    await expect.poll(() => openCalls(echo.server)).toBe(1);
    const goaway = once(client.session, "goaway");
    const closed = echo.server.close({ graceMs });
    await goaway;
    gate.open();
    expect(status(await answer)).toBe("0 ");
    await closed;
    expect(echo.server.connections).toBe(0);
  });

  test("ends streams with a status that tells clients to go elsewhere", async () => {
    await using echo = await startEchoServer();
    using client = new RawClient(echo.url);
    const calls = ["Chat", "Join"].map((method) => client.open(`/test.Echo/${method}`));
    const waiting = client.open("/test.Echo/Count");
    waiting.stream.end(request("wait"));
    expect(await echo.happenings.next()).toBe("waiting");
    await echo.server.close({ graceMs });
    for (const { answer } of [...calls, waiting]) {
      expect(status(await answer)).toBe("14 etcdserver: server stopped");
    }
    const happened = [await echo.happenings.next(), await echo.happenings.next()];
    expect(happened.sort()).toEqual(["aborted: 14 etcdserver: server stopped", "chat: etcdserver: server stopped"]);
  });

  test("is seen by a gRPC client as UNAVAILABLE", async () => {
    await using echo = await startEchoServer();
    using client = new EchoClient(new URL(echo.url).host);
    const call = client.stream("Chat");
    call.send(keyValue("echo"));
    await call.next();
    await echo.server.close({ graceMs });
    expect(await call.outcome).toMatchObject({ code: 14, details: "etcdserver: server stopped" });
  });

  test("cuts off what is left after the grace", async () => {
    const gate = createGate();
    await using echo = await startEchoServer({ services: [gate.binding] });
    using client = new RawClient(echo.url);
    const { stream, answer } = client.open("/test.Echo/Say");
    stream.end(request("echo"));
    await expect.poll(() => openCalls(echo.server)).toBe(1);
    await echo.server.close({ graceMs: 10 });
    expect(openCalls(echo.server)).toBe(0);
    expect(echo.server.connections).toBe(0);
    await answer;
    gate.open();
  });

  test("does not wait for connections that do nothing", async () => {
    await using echo = await startEchoServer({ http1: (_request, response) => response.end() });
    using grpcClient = new RawClient(echo.url);
    await grpcClient.send("/test.Echo/Say", [request("echo")]);
    const { port } = new URL(echo.url);
    const agent = new Agent({ keepAlive: true });
    const [response] = await once(httpRequest({ port, host: "127.0.0.1", agent }).end(), "response");
    await once(response.resume(), "end");
    const silent = connect({ port: Number(port), host: "127.0.0.1" });
    silent.on("error", () => undefined);
    await expect.poll(() => echo.server.connections).toBe(3);
    await echo.server.close({ graceMs });
    expect(echo.server.connections).toBe(0);
    agent.destroy();
    silent.destroy();
  });

  test("lets an HTTP/1.1 request finish, until the grace is over", async () => {
    await using echo = await startEchoServer({ http1: (_request, response) => void response.write("never ends") });
    const { port } = new URL(echo.url);
    const [response] = await once(httpRequest({ port, host: "127.0.0.1", agent: false }).end(), "response");
    const cut = once(response, "aborted");
    await echo.server.close({ graceMs: 10 });
    await cut;
  });

  test("refuses new connections at once, and the same promise to who asks again", async () => {
    await using echo = await startEchoServer();
    const closed = echo.server.close({ graceMs });
    const late = connect({ port: Number(new URL(echo.url).port), host: "127.0.0.1" });
    await once(late, "error");
    expect(echo.server.close()).toBe(closed);
    await closed;
  });

  test("of ten thousand open streams ends each with a status, within the grace", { timeout: 120_000 }, async () => {
    await using echo = await startEchoServer();
    const clients = Array.from({ length: 40 }, () => new RawClient(echo.url));
    const calls = clients.flatMap((client) => Array.from({ length: 250 }, () => client.open("/test.Echo/Chat")));
    for (const { stream } of calls) stream.write(request("echo"));
    await expect.poll(() => openCalls(echo.server), { timeout: 60_000, interval: 50 }).toBe(10_000);
    await echo.server.close({ graceMs });
    const statuses = new Set((await Promise.all(calls.map(({ answer }) => answer))).map(status));
    expect([...statuses]).toEqual(["14 etcdserver: server stopped"]);
    expect(openCalls(echo.server)).toBe(0);
    for (const client of clients) client[Symbol.dispose]();
  });
});
