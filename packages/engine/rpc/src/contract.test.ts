import { emptyBytes, equalBytes, utf8, utf8Text } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { createRpcServer } from "./rpc-server.ts";
import type { ServiceBinding } from "./service.ts";
import { EchoClient, type Outcome } from "./testing/echo-client.ts";
import { createEchoService, type Happenings, keyValue } from "./testing/echo-service.ts";
import { startGrpcJsServer, type TestServer } from "./testing/grpc-js-server.ts";

async function startOwnServer(binding: ServiceBinding): Promise<TestServer> {
  const server = createRpcServer({ services: [binding] });
  const [url = ""] = await server.listen("http://127.0.0.1:0");
  return { address: new URL(url).host, [Symbol.asyncDispose]: () => server.close({ graceMs: 0 }) };
}

interface Echo extends AsyncDisposable {
  readonly client: EchoClient;
  readonly happenings: Happenings;
}

const texts = ({ responses }: Outcome): readonly string[] => responses.map(({ value }) => utf8Text(value));
const versions = ({ responses }: Outcome): readonly number[] => responses.map(({ version }) => version);
const status = ({ code, details }: Outcome): string => (code === grpc.status.OK ? "OK" : `${code} ${details}`);

// What a client sees of a server must not depend on who wrote it. grpc-js's own server stands for the others.
describe.each([
  { name: "our server", start: startOwnServer },
  { name: "grpc-js's server", start: startGrpcJsServer },
])("a grpc-js client of $name", { timeout: 30_000 }, ({ start }) => {
  async function startEcho(): Promise<Echo> {
    const { binding, happenings } = createEchoService();
    const server = await start(binding);
    const client = new EchoClient(server.address);
    const dispose = async (): Promise<void> => {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    };
    return { client, happenings, [Symbol.asyncDispose]: dispose };
  }

  describe("unary call", () => {
    test.each(["echo", "later"])("is answered: %s", async (key) => {
      await using echo = await startEcho();
      const outcome = await echo.client.call("Say", keyValue(key, "hello"));
      expect([status(outcome), texts(outcome)]).toEqual(["OK", ["hello"]]);
    });

    test("carries an empty message", async () => {
      await using echo = await startEcho();
      const outcome = await echo.client.call("Say", keyValue(""));
      expect([status(outcome), outcome.responses]).toEqual(["OK", [keyValue("")]]);
    });

    test("carries a large message both ways", async () => {
      await using echo = await startEcho();
      const value = new Uint8Array(1_500_000).map((_, at) => at);
      const outcome = await echo.client.call("Say", keyValue("echo", value));
      expect(equalBytes(outcome.responses[0]?.value ?? emptyBytes, value)).toBe(true);
    });

    test("is one of a thousand at once", async () => {
      await using echo = await startEcho();
      const said = Array.from({ length: 1000 }, (_, at) => `message ${at}`);
      const outcomes = await Promise.all(said.map((text) => echo.client.call("Say", keyValue("later", text))));
      expect(outcomes.flatMap(texts)).toEqual(said);
    });

    test.each([
      ["an error of the protocol", keyValue("wire error"), "5 etcdserver: requested lease not found"],
      ["an error with a status", keyValue("rpc error", "no more", GrpcStatus.Aborted), "10 no more"],
      [
        "a text of any script",
        keyValue("rpc error", "nicht möglich: 100 % 鍵\n", GrpcStatus.NotFound),
        "5 nicht möglich: 100 % 鍵\n",
      ],
      ["a fault of the program", keyValue("fault"), "2 internal error"],
      ["a late fault of the program", keyValue("late fault"), "2 internal error"],
    ])("ends with the status of %s", async (_name, request, expected) => {
      await using echo = await startEcho();
      expect(status(await echo.client.call("Say", request))).toBe(expected);
    });

    test("is refused if nobody implements it", async () => {
      await using echo = await startEcho();
      for (const method of ["Never", "Nothing", "/test.Nobody/Say"]) {
        const { code } = await echo.client.call(method, keyValue("echo"));
        expect([method, code]).toEqual([method, grpc.status.UNIMPLEMENTED]);
      }
    });

    test("is refused if its request is too large", async () => {
      await using echo = await startEcho();
      const { code, details } = await echo.client.call("Say", keyValue("echo", new Uint8Array(2_097_152)));
      expect(code).toBe(grpc.status.RESOURCE_EXHAUSTED);
      expect(details.toLowerCase()).toContain("received message larger than max (2097163 vs");
    });

    test("carries metadata, text and bytes, both ways", async () => {
      await using echo = await startEcho();
      const metadata = new grpc.Metadata();
      metadata.set("asked", "who");
      metadata.set("asked-bin", Buffer.from([0, 255, 7]));
      const outcome = await echo.client.call("Say", keyValue("metadata"), { metadata });
      expect(texts(outcome)).toEqual(["asked asked-bin"]);
      expect(outcome.headers.get("given")).toEqual(["who!"]);
      expect(outcome.trailers.get("given-bin")).toEqual([Buffer.from([7, 255, 0])]);
    });

    test("knows its deadline and its peer", async () => {
      await using echo = await startEcho();
      const left = await echo.client.call("Say", keyValue("deadline"), { deadline: Date.now() + 60_000 });
      expect(Number(texts(left)[0])).toBeGreaterThan(50_000);
      expect(Number(texts(left)[0])).toBeLessThanOrEqual(60_000);
      expect(texts(await echo.client.call("Say", keyValue("deadline")))).toEqual(["NaN"]);
      expect(texts(await echo.client.call("Say", keyValue("peer")))[0]).toMatch(/^127\.0\.0\.1:\d+$/);
    });

    test("aborts its handler at the deadline", async () => {
      await using echo = await startEcho();
      const { code } = await echo.client.call("Say", keyValue("wait"), { deadline: Date.now() + 50 });
      expect(code).toBe(grpc.status.DEADLINE_EXCEEDED);
      await echo.happenings.next();
      expect(await echo.happenings.next()).toMatch(/^aborted: (4 context deadline exceeded|1 context canceled)$/);
    });

    test("aborts its handler when the client cancels", async () => {
      await using echo = await startEcho();
      const call = echo.client.open("Say", keyValue("wait"));
      expect(await echo.happenings.next()).toBe("waiting");
      call.cancel();
      expect(await echo.happenings.next()).toBe("aborted: 1 context canceled");
      expect((await call.outcome).code).toBe(grpc.status.CANCELLED);
    });
  });

  describe("server stream", () => {
    test.each([0, 1, 1000])("of %d responses ends with OK", async (version) => {
      await using echo = await startEcho();
      const outcome = await echo.client.call("Count", keyValue("count", "x", version));
      expect(status(outcome)).toBe("OK");
      expect(versions(outcome)).toEqual(Array.from({ length: version }, (_, at) => at + 1));
    });

    test.each([0, 2])("fails after %d responses", async (version) => {
      await using echo = await startEcho();
      const outcome = await echo.client.call("Count", keyValue("fail", "x", version));
      expect(status(outcome)).toBe("11 etcdserver: mvcc: required revision has been compacted");
      expect(outcome.responses).toHaveLength(version);
    });

    test("aborts its handler when the client cancels", async () => {
      await using echo = await startEcho();
      const call = echo.client.open("Count", keyValue("wait", "x", 1));
      await call.next();
      expect(await echo.happenings.next()).toBe("waiting");
      call.cancel();
      expect(await echo.happenings.next()).toBe("aborted: 1 context canceled");
    });
  });

  describe("client stream", () => {
    test.each([0, 1, 500])("of %d requests is answered once", async (length) => {
      await using echo = await startEcho();
      const call = echo.client.stream("Join");
      const words = Array.from({ length }, (_, at) => `w${at}`);
      for (const word of words) call.send(keyValue("word", word));
      call.end();
      expect(texts(await call.outcome)).toEqual([words.join(" ")]);
    });
  });

  describe("bidirectional stream", () => {
    test("answers each request before the next is sent", async () => {
      await using echo = await startEcho();
      const call = echo.client.stream("Chat");
      for (const word of ["one", "two", "three"]) {
        call.send(keyValue("echo", word));
        expect(utf8Text((await call.next()).value)).toBe(word);
      }
      call.end();
      const outcome = await call.outcome;
      expect(status(outcome)).toBe("OK");
      expect(outcome.responses.at(-1)?.key).toEqual(Buffer.from(utf8("half-closed")));
    });

    test("ends when its handler does, though the client has not", async () => {
      await using echo = await startEcho();
      const call = echo.client.stream("Chat");
      call.send(keyValue("bye"));
      expect(status(await call.outcome)).toBe("OK");
    });

    test("ends with its handler's error, though the client has not ended", async () => {
      await using echo = await startEcho();
      const call = echo.client.stream("Chat");
      call.send(keyValue("echo", "x"));
      call.send(keyValue("fail"));
      const outcome = await call.outcome;
      expect([status(outcome), texts(outcome)]).toEqual(["14 etcdserver: no leader", ["x"]]);
    });

    test("is open a thousand times at once", async () => {
      await using echo = await startEcho();
      const calls = Array.from({ length: 1000 }, () => echo.client.stream("Chat"));
      for (const [at, call] of calls.entries()) call.send(keyValue("echo", `call ${at}`));
      const first = await Promise.all(calls.map((call) => call.next()));
      expect(first.map(({ value }) => utf8Text(value))).toEqual(calls.map((_, at) => `call ${at}`));
      for (const call of calls) call.end();
      expect((await Promise.all(calls.map((call) => call.outcome))).every(({ code }) => code === 0)).toBe(true);
    });
  });
});
