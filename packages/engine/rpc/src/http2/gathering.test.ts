/** @module Responses of one turn share frames, and are still no more than the client's windows take. */
import { KeyValue } from "@conclave/protocol/mvccpb";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { frameMessage } from "../message-frame.ts";
import { keyValue } from "../testing/echo-service.ts";
import { FrameClient, frame, literals, preface, type ReceivedFrame } from "../testing/frame-client.ts";
import { type EchoServer, startEchoServer } from "../testing/start-server.ts";
import { flags, frameTypes, payloadBytesDefault } from "./frame.ts";

let echo: EchoServer;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo[Symbol.asyncDispose]());

const count = literals([
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/test.Echo/Count"],
  [":authority", "localhost"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const messageOf = (value: Uint8Array, version: number): Uint8Array =>
  frameMessage(KeyValue.encode(keyValue("", value, version)).finish());

/** Asks for so many responses, on a stream of which so much is taken at first. */
function dial(value: Uint8Array, times: number, windowBytes: number): FrameClient {
  const client = new FrameClient(echo.url);
  client.send(
    preface,
    frame(frameTypes.settings, { payload: Buffer.concat([Buffer.of(0, 4), uint32(windowBytes)]) }),
    frame(frameTypes.headers, { flags: flags.endHeaders, streamId: 1, payload: count }),
    frame(frameTypes.data, { flags: flags.endStream, streamId: 1, payload: messageOf(value, times) }),
  );
  return client;
}

const isData = ({ type }: ReceivedFrame): boolean => type === frameTypes.data;
const isEnd = ({ type, flags: bits }: ReceivedFrame): boolean =>
  type === frameTypes.headers && (bits & flags.endStream) !== 0;

function expectedBytes(value: Uint8Array, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, (_, at) => messageOf(value, at + 1)));
}

const bytesOf = (frames: readonly ReceivedFrame[]): Buffer => Buffer.concat(frames.map(({ payload }) => payload));

test("a thousand responses of one turn come in as few frames as can hold them", async () => {
  const value = Buffer.alloc(20, "v");
  using client = dial(value, 1_000, 65_535);
  await client.until(isEnd);
  const expected = expectedBytes(value, 1_000);
  const frames = client.received.filter(isData);
  expect(bytesOf(frames).equals(expected)).toBe(true);
  expect(frames).toHaveLength(Math.ceil(expected.length / payloadBytesDefault));
});

test("whatever their sizes and the steps in which a client takes more: all bytes come, in order, and never too many", async () => {
  const steps = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 5 });
  const input = fc.record({
    value: fc.uint8Array({ maxLength: 3_000 }),
    times: fc.integer({ min: 1, max: 20 }),
    first: fc.nat({ max: 70_000 }),
    steps,
  });
  await fc.assert(
    fc.asyncProperty(input, async ({ value, times, first, steps: widths }) => {
      const expected = expectedBytes(value, times);
      using client = dial(value, times, first);
      let allowed = first;
      const arrived = (): Buffer => bytesOf(client.received.filter(isData));
      for (const width of [...widths, expected.length]) {
        await client.until(() => arrived().length >= Math.min(allowed, expected.length, 65_535));
        expect(arrived().length).toBeLessThanOrEqual(allowed);
        if (arrived().length === expected.length) break;
        allowed += width;
        client.send(...[0, 1].map((streamId) => frame(frameTypes.windowUpdate, { streamId, payload: uint32(width) })));
      }
      await client.until(isEnd);
      expect(arrived().equals(expected)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
