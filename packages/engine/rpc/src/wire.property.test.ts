import { KeyValue } from "@conclave/protocol/mvccpb";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { frameMessage } from "./message-frame.ts";
import { MessageReader } from "./message-reader.ts";
import { keyValue } from "./testing/echo-service.ts";
import { RawClient } from "./testing/raw-client.ts";
import { type EchoServer, startEchoServer } from "./testing/start-server.ts";

const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });

/** Bytes cut at some places, empty pieces among them. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
}

const places = fc.array(fc.nat(), { maxLength: 40 });

test("MessageReader reads the same messages, wherever the bytes are cut", () => {
  fc.assert(
    fc.property(messages, places, (sent, at) => {
      const reader = new MessageReader(300);
      const read: Uint8Array[] = [];
      for (const piece of cut(Buffer.concat(sent.map((message) => frameMessage(message))), at)) {
        reader.push(piece);
        for (let message = reader.read(); message !== undefined; message = reader.read()) read.push(message.bytes);
      }
      expect(read.map((bytes) => Buffer.from(bytes))).toEqual(sent.map((bytes) => Buffer.from(bytes)));
      expect(reader.bufferedBytes).toBe(0);
    }),
  );
});

let echo: EchoServer;
let client: RawClient;
beforeAll(async () => {
  echo = await startEchoServer();
  client = new RawClient(echo.url);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await echo[Symbol.asyncDispose]();
});

test("a server reads the same requests, wherever DATA frames cut them", async () => {
  await fc.assert(
    fc.asyncProperty(messages, places, async (sent, at) => {
      const frames = sent.map((value) => frameMessage(KeyValue.encode(keyValue("echo", value)).finish()));
      const { body, trailers } = await client.send("/test.Echo/Chat", cut(Buffer.concat(frames), at));
      const farewell = frameMessage(KeyValue.encode(keyValue("half-closed")).finish());
      expect(body).toEqual(Buffer.concat([...frames, farewell]));
      expect(trailers?.["grpc-status"]).toBe("0");
    }),
    { numRuns: 60 },
  );
});

test("a server survives every body, and answers each with one status", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }), async (chunks) => {
      for (const method of ["Say", "Chat"]) {
        const { trailers } = await client.send(`/test.Echo/${method}`, chunks);
        expect(trailers?.["grpc-status"]).toMatch(/^(0|8|13)$/);
      }
      expect(echo.faults).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
