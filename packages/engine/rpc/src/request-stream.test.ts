import { KeyValue } from "@conclave/protocol/mvccpb";
import { expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { bindService, unimplemented } from "./service.ts";
import { EchoDefinition, keyValue } from "./testing/echo-service.ts";
import { RawClient } from "./testing/raw-client.ts";
import { startEchoServer } from "./testing/start-server.ts";

const hello = frameMessage(KeyValue.encode(keyValue("echo", "hello")).finish());
const others = { say: unimplemented, count: unimplemented, join: unimplemented, never: unimplemented } as const;

test("a reader and a writer left behind by their handler are told that the call is over", async () => {
  const left: Promise<unknown>[] = [];
  const binding = bindService(EchoDefinition, {
    ...others,
    chat: async (requests, responses) => {
      left.push(expect(requests.forEach(() => {})).rejects.toThrow("the call has been answered"));
      while (responses.write(keyValue("fill", new Uint8Array(100_000))));
      left.push(expect(responses.drained()).rejects.toThrow("the call has been answered"));
    },
  });
  await using echo = await startEchoServer({ services: [binding] });
  using client = new RawClient(echo.url);
  const { stream, answer } = client.open("/test.Echo/Chat");
  stream.write(hello);
  expect((await answer).trailers?.["grpc-status"]).toBe("0");
  expect(left).toHaveLength(2);
  await Promise.all(left);
});

test("what is written after the end of a call goes nowhere, and is said to", async () => {
  const written: boolean[] = [];
  const binding = bindService(EchoDefinition, {
    ...others,
    chat: async (_requests, responses, call) => {
      await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
      written.push(responses.write(keyValue("late")), responses.writeEncoded(new Uint8Array(1)));
    },
  });
  await using echo = await startEchoServer({ services: [binding] });
  using client = new RawClient(echo.url);
  const { answer } = client.open("/test.Echo/Chat", { "grpc-timeout": "1m" });
  const { body } = await answer;
  await expect.poll(() => written).toEqual([false, false]);
  expect(body).toHaveLength(0);
});

test("the next request waits for the promise that the one before was answered with", async () => {
  const order: string[] = [];
  const binding = bindService(EchoDefinition, {
    ...others,
    chat: async (requests, responses) => {
      await requests.forEach(async ({ version }) => {
        order.push(`begin ${version}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`end ${version}`);
      });
      responses.write(keyValue("done"));
    },
  });
  await using echo = await startEchoServer({ services: [binding] });
  using client = new RawClient(echo.url);
  const requests = [1, 2, 3].map((version) => frameMessage(KeyValue.encode(keyValue("", "", version)).finish()));
  await client.send("/test.Echo/Chat", [Buffer.concat(requests)]);
  expect(order).toEqual(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
});

test("a handler that fails on a request ends the call with its error", async () => {
  const binding = bindService(EchoDefinition, {
    ...others,
    chat: (requests) =>
      requests.forEach(() => {
        throw new TypeError("a secret of the program");
      }),
  });
  await using echo = await startEchoServer({ services: [binding] });
  using client = new RawClient(echo.url);
  const { trailers } = await client.send("/test.Echo/Chat", [hello]);
  expect(trailers?.["grpc-status"]).toBe("2");
  expect(echo.faults).toEqual([expect.any(TypeError)]);
});
