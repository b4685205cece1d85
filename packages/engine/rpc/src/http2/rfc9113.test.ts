/** @module What RFC 9113 says that a server MUST do about frames that clients must not send, by section. */
import { KeyValue } from "@conclave/protocol/mvccpb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { frameMessage } from "../message-frame.ts";
import { keyValue } from "../testing/echo-service.ts";
import { FrameClient, frame, literals, preface, type ReceivedFrame } from "../testing/frame-client.ts";
import { type EchoServer, openCalls, startEchoServer } from "../testing/start-server.ts";
import { errorCodes } from "./error-code.ts";
import { flags, frameTypes } from "./frame.ts";

const { data, headers, priority, rstStream, settings, pushPromise, ping, goaway, windowUpdate, continuation } =
  frameTypes;
const { endStream, endHeaders, padded } = flags;
const hello = frameMessage(KeyValue.encode(keyValue("echo", "hello")).finish());

const callFields: readonly (readonly [string, string])[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/test.Echo/Say"],
  [":authority", "localhost"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];
const say = literals(callFields);
const chat = literals(callFields.map(([name, value]) => [name, name === ":path" ? "/test.Echo/Chat" : value]));

/** A request whose body follows. */
function begin(streamId: number, payload: Buffer = say, bits = 0): Buffer {
  return frame(headers, { flags: endHeaders | bits, streamId, payload });
}

function body(streamId: number, payload: Uint8Array = hello, bits: number = endStream): Buffer {
  return frame(data, { flags: bits, streamId, payload });
}

/** A request with fields besides those that every one has. */
function withFields(...more: readonly (readonly [string, string])[]): Buffer {
  return begin(1, literals([...callFields, ...more]));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function setting(identifier: number, value: number): Buffer {
  return frame(settings, { payload: Buffer.concat([Buffer.of(0, identifier), uint32(value)]) });
}

function nameOf(code: number): string {
  return Object.entries(errorCodes).find(([, value]) => value === code)?.[0] ?? String(code);
}

/** What a frame means for the fate of a stream or the connection; undefined for one that means nothing. */
function fateOf({ type, streamId, payload }: ReceivedFrame): string | undefined {
  if (type === goaway) return `connection: ${nameOf(payload.readUInt32BE(4))}`;
  if (type === rstStream) return `stream ${streamId}: ${nameOf(payload.readUInt32BE(0))}`;
  return undefined;
}

interface Case {
  readonly name: string;
  readonly frames: readonly Buffer[];
  readonly fate: string;
}

const brokenFrames: readonly Case[] = [
  {
    name: "§3.4 SETTINGS first",
    frames: [frame(ping, { payload: Buffer.alloc(8) })],
    fate: "connection: protocolError",
  },
  {
    name: "§3.4 SETTINGS first, not its acknowledgement",
    frames: [frame(settings, { flags: 1 })],
    fate: "connection: protocolError",
  },
].map((each) => ({ ...each, name: `without ${each.name}` }));

const cases: readonly Case[] = [
  {
    name: "§4.2 a frame longer than 2^14",
    frames: [frame(data, { length: 16_385 })],
    fate: "connection: frameSizeError",
  },
  {
    name: "§4.3 a block that cannot be decompressed",
    frames: [begin(1, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff))],
    fate: "connection: compressionError",
  },
  {
    name: "§5.1 idle: DATA",
    frames: [body(1)],
    fate: "connection: protocolError",
  },
  {
    name: "§5.1 idle: RST_STREAM",
    frames: [frame(rstStream, { streamId: 1, payload: uint32(8) })],
    fate: "connection: protocolError",
  },
  {
    name: "§5.1 idle: WINDOW_UPDATE",
    frames: [frame(windowUpdate, { streamId: 1, payload: uint32(1) })],
    fate: "connection: protocolError",
  },
  {
    name: "§5.1 half-closed: DATA",
    frames: [begin(1, chat, endStream), body(1)],
    fate: "stream 1: streamClosed",
  },
  {
    name: "§5.1 half-closed: HEADERS",
    frames: [begin(1, chat, endStream), begin(1, chat, endStream)],
    fate: "stream 1: streamClosed",
  },
  {
    name: "§5.1 closed: DATA",
    frames: [begin(1), body(1), body(1)],
    fate: "connection: streamClosed",
  },
  {
    name: "§5.1 closed by the client: DATA",
    frames: [begin(1, chat), frame(rstStream, { streamId: 1, payload: uint32(8) }), body(1)],
    fate: "connection: streamClosed",
  },
  { name: "§5.1.1 an even number", frames: [begin(2)], fate: "connection: protocolError" },
  { name: "§5.1.1 a number that falls", frames: [begin(5), begin(3)], fate: "connection: streamClosed" },
  { name: "§6.1 DATA on stream 0", frames: [frame(data, { payload: hello })], fate: "connection: protocolError" },
  {
    name: "§6.1 padding as long as the frame",
    frames: [begin(1), frame(data, { flags: padded, streamId: 1, payload: Buffer.of(2, 0) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.2 HEADERS on stream 0",
    frames: [frame(headers, { flags: endHeaders, payload: say })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.2 padding longer than its frame",
    frames: [frame(headers, { flags: endHeaders | padded, streamId: 1, payload: Buffer.of(9, 0x82) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.3 PRIORITY on stream 0",
    frames: [frame(priority, { payload: Buffer.alloc(5) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.3 PRIORITY of another length",
    frames: [frame(priority, { streamId: 1, payload: Buffer.alloc(4) })],
    fate: "connection: frameSizeError",
  },
  {
    name: "§6.4 RST_STREAM on stream 0",
    frames: [frame(rstStream, { payload: uint32(8) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.4 RST_STREAM of another length",
    frames: [begin(1), frame(rstStream, { streamId: 1, payload: Buffer.alloc(3) })],
    fate: "connection: frameSizeError",
  },
  {
    name: "§6.5 an acknowledgement with settings",
    frames: [frame(settings, { flags: 1, payload: Buffer.alloc(6) })],
    fate: "connection: frameSizeError",
  },
  { name: "§6.5 SETTINGS on a stream", frames: [frame(settings, { streamId: 1 })], fate: "connection: protocolError" },
  {
    name: "§6.5 SETTINGS of a broken length",
    frames: [frame(settings, { payload: Buffer.alloc(5) })],
    fate: "connection: frameSizeError",
  },
  { name: "§6.5.2 ENABLE_PUSH of 2", frames: [setting(2, 2)], fate: "connection: protocolError" },
  { name: "§6.5.2 a window of 2^31", frames: [setting(4, 2 ** 31)], fate: "connection: flowControlError" },
  { name: "§6.5.2 frames of 2^14 - 1", frames: [setting(5, 16_383)], fate: "connection: protocolError" },
  { name: "§6.5.2 frames of 2^24", frames: [setting(5, 2 ** 24)], fate: "connection: protocolError" },
  {
    name: "§6.6 PUSH_PROMISE",
    frames: [begin(1, chat), frame(pushPromise, { flags: endHeaders, streamId: 1, payload: uint32(2) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.7 PING of another length",
    frames: [frame(ping, { payload: Buffer.alloc(7) })],
    fate: "connection: frameSizeError",
  },
  {
    name: "§6.7 PING on a stream",
    frames: [frame(ping, { streamId: 1, payload: Buffer.alloc(8) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.8 GOAWAY on a stream",
    frames: [frame(goaway, { streamId: 1, payload: Buffer.alloc(8) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.8 GOAWAY too short",
    frames: [frame(goaway, { payload: Buffer.alloc(7) })],
    fate: "connection: frameSizeError",
  },
  {
    name: "§6.9 WINDOW_UPDATE of another length",
    frames: [frame(windowUpdate, { payload: Buffer.alloc(3) })],
    fate: "connection: frameSizeError",
  },
  {
    name: "§6.9 WINDOW_UPDATE of 0 on the connection",
    frames: [frame(windowUpdate, { payload: uint32(0) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.9 WINDOW_UPDATE of 0 on a stream",
    frames: [begin(1, chat), frame(windowUpdate, { streamId: 1, payload: uint32(0) })],
    fate: "stream 1: protocolError",
  },
  {
    name: "§6.9.1 a window above 2^31 - 1 of the connection",
    frames: [frame(windowUpdate, { payload: uint32(2 ** 31 - 1) })],
    fate: "connection: flowControlError",
  },
  {
    name: "§6.9.1 a window above 2^31 - 1 of a stream",
    frames: [begin(1, chat), frame(windowUpdate, { streamId: 1, payload: uint32(2 ** 31 - 1) })],
    fate: "stream 1: flowControlError",
  },
  {
    name: "§6.9.2 settings that make a window larger than 2^31 - 1",
    frames: [
      begin(1, chat),
      frame(windowUpdate, { streamId: 1, payload: uint32(2 ** 31 - 1 - 65_535) }),
      setting(4, 65_536),
    ],
    fate: "connection: flowControlError",
  },
  {
    name: "§6.10 CONTINUATION of nothing",
    frames: [frame(continuation, { flags: endHeaders, streamId: 1, payload: say })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.10 a frame within header fields",
    frames: [frame(headers, { streamId: 1, payload: say }), frame(ping, { payload: Buffer.alloc(8) })],
    fate: "connection: protocolError",
  },
  {
    name: "§6.10 CONTINUATION of another stream",
    frames: [frame(headers, { streamId: 1, payload: say }), frame(continuation, { flags: endHeaders, streamId: 3 })],
    fate: "connection: protocolError",
  },
  {
    name: "§8.1 trailers without an end",
    frames: [begin(1, chat), begin(1, literals([["a", "b"]]))],
    fate: "stream 1: protocolError",
  },
  {
    name: "§8.1.1 a body longer than its content-length",
    frames: [withFields(["content-length", "5"]), body(1)],
    fate: "stream 1: protocolError",
  },
  {
    name: "§8.1.1 a body shorter than its content-length",
    frames: [withFields(["content-length", "500"]), body(1)],
    fate: "stream 1: protocolError",
  },
  { name: "§8.2.1 a name in upper case", frames: [withFields(["Token", "x"])], fate: "stream 1: protocolError" },
  { name: "§8.2.1 a name with a space", frames: [withFields(["a b", "x"])], fate: "stream 1: protocolError" },
  { name: "§8.2.1 a name without letters", frames: [withFields(["", "x"])], fate: "stream 1: protocolError" },
  { name: "§8.2.1 a value with a line feed", frames: [withFields(["a", "x\ny"])], fate: "stream 1: protocolError" },
  { name: "§8.2.1 a value with a zero", frames: [withFields(["a", "x\0"])], fate: "stream 1: protocolError" },
  {
    name: "§8.2.1 a value that begins with a space",
    frames: [withFields(["a", " x"])],
    fate: "stream 1: protocolError",
  },
  { name: "§8.2.1 a value that ends in a tab", frames: [withFields(["a", "x\t"])], fate: "stream 1: protocolError" },
  { name: "§8.2.2 connection", frames: [withFields(["connection", "close"])], fate: "stream 1: protocolError" },
  {
    name: "§8.2.2 te other than trailers",
    frames: [withFields(["te", "gzip"])],
    fate: "stream 1: protocolError",
  },
  {
    name: "§8.3 a pseudo-header that is not one",
    frames: [withFields([":other", "x"])],
    fate: "stream 1: protocolError",
  },
  {
    name: "§8.3 a pseudo-header behind a field",
    frames: [withFields([":method", "POST"])],
    fate: "stream 1: protocolError",
  },
  ...[":method", ":scheme", ":path"].map((left) => ({
    name: `§8.3.1 no ${left}`,
    frames: [begin(1, literals(callFields.filter(([name]) => name !== left)))],
    fate: "stream 1: protocolError",
  })),
  {
    name: "§8.3.1 a pseudo-header twice",
    frames: [begin(1, literals([[":method", "POST"], ...callFields]))],
    fate: "stream 1: protocolError",
  },
  {
    name: "§8.3.1 an empty path",
    frames: [begin(1, literals(callFields.map(([name, value]) => [name, name === ":path" ? "" : value])))],
    fate: "stream 1: protocolError",
  },
  {
    name: "§10.5.1 more header fields than were allowed",
    frames: [
      frame(headers, { streamId: 1, payload: say }),
      ...Array.from({ length: 5 }, (_, at) =>
        frame(continuation, { flags: at === 4 ? endHeaders : 0, streamId: 1, payload: manyFields() }),
      ),
    ],
    fate: "stream 1: enhanceYourCalm",
  },
  {
    name: "§10.5 header fields without end",
    frames: [
      frame(headers, { streamId: 1, payload: say }),
      ...Array.from({ length: 100 }, () => frame(continuation, { streamId: 1 })),
    ],
    fate: "connection: enhanceYourCalm",
  },
  {
    name: "§10.5 more compressed header fields than were allowed",
    frames: [
      frame(headers, { streamId: 1, payload: say }),
      ...Array.from({ length: 5 }, () => frame(continuation, { streamId: 1, payload: Buffer.alloc(16_384) })),
    ],
    fate: "connection: enhanceYourCalm",
  },
  {
    name: "§10.5 settings without end",
    frames: Array.from({ length: 30_000 }, () => frame(settings)),
    fate: "connection: enhanceYourCalm",
  },
  {
    name: "§10.5 empty data without end",
    frames: [begin(1, chat), ...Array.from({ length: 30_000 }, () => body(1, Buffer.alloc(0), 0))],
    fate: "connection: enhanceYourCalm",
  },
];

/** One field per 40 bytes, which count as 80. */
function manyFields(): Buffer {
  return literals(Array.from({ length: 200 }, (_, at) => [`name-${at}`.padEnd(18, "-"), "v".repeat(18)] as const));
}

let echo: EchoServer;
beforeAll(async () => {
  echo = await startEchoServer();
});
afterAll(() => echo[Symbol.asyncDispose]());

async function fateAfter(frames: readonly Buffer[]): Promise<string | undefined> {
  using client = new FrameClient(echo.url);
  client.send(preface, ...frames);
  const received = await client.until((each) => fateOf(each) !== undefined);
  if (received === undefined) return undefined;
  const fate = fateOf(received);
  if (fate?.startsWith("connection") === true) await client.until(() => false);
  return fate;
}

describe("a client that breaks a rule", () => {
  test.each(brokenFrames)("loses its connection: $name", async ({ frames, fate }) => {
    expect(await fateAfter(frames)).toBe(fate);
  });

  test.each(cases)("loses its stream or its connection: $name", async ({ frames, fate }) => {
    expect(await fateAfter([frame(settings), ...frames])).toBe(fate);
    await expect.poll(() => openCalls(echo.server)).toBe(0);
  });
});

/** A connection on which everything is in order so far. */
function dial(): FrameClient {
  const client = new FrameClient(echo.url);
  client.send(preface, frame(settings));
  return client;
}

const isEndOf =
  (streamId: number) =>
  (each: ReceivedFrame): boolean =>
    each.streamId === streamId && each.type === headers && (each.flags & endStream) !== 0;

/** Whether a call is still answered. */
async function serves(client: FrameClient, streamId: number): Promise<boolean> {
  client.send(begin(streamId), body(streamId));
  return (await client.until(isEndOf(streamId))) !== undefined;
}

describe("a client that does what it may", () => {
  test("§4.1, §5.5: frames and settings that are not known are ignored", async () => {
    using client = dial();
    client.send(frame(0xfa, { flags: 0xff, streamId: 7, payload: Buffer.from("?") }), setting(0xf, 1));
    expect(await serves(client, 1)).toBe(true);
  });

  test("§5.1: frames that cross a reset from here are ignored", async () => {
    using client = dial();
    client.send(
      withFields(["connection", "close"]),
      body(1),
      body(1),
      frame(windowUpdate, { streamId: 1, payload: uint32(9) }),
    );
    expect(await serves(client, 3)).toBe(true);
  });

  test("§5.3: priorities are ignored", async () => {
    using client = dial();
    client.send(frame(priority, { streamId: 9, payload: Buffer.alloc(5) }));
    const payload = Buffer.concat([Buffer.alloc(5), say]);
    client.send(frame(headers, { flags: endHeaders | flags.priority, streamId: 1, payload }), body(1));
    expect(await client.until(isEndOf(1))).toBeDefined();
  });

  test("§6.1, §6.2: padding is taken off", async () => {
    using client = dial();
    const padding = Buffer.alloc(7);
    const padBoth = (payload: Uint8Array): Buffer => Buffer.concat([Buffer.of(padding.length), payload, padding]);
    client.send(frame(headers, { flags: endHeaders | padded, streamId: 1, payload: padBoth(say) }));
    client.send(frame(data, { flags: endStream | padded, streamId: 1, payload: padBoth(hello) }));
    const answer = await client.until(({ type, streamId }) => type === data && streamId === 1);
    expect(answer?.payload).toEqual(Buffer.from(hello));
  });

  test("§6.5.3: settings are acknowledged, in order with what they change", async () => {
    using client = dial();
    client.send(setting(4, 5), begin(1), body(1), setting(4, 100_000));
    expect(await client.until(isEndOf(1))).toBeDefined();
    const kinds = client.received.filter(({ type }) => type === settings || type === data);
    const told = kinds.map(({ type, payload }) => (type === settings ? "settings" : payload.length));
    expect(told.slice(1)).toEqual(["settings", "settings", 5, "settings", hello.length - 5]);
  });

  test("§6.9.2: a window that settings have made negative is waited out", async () => {
    using client = dial();
    client.send(setting(4, 10), begin(1), body(1));
    await client.until(({ type }) => type === data);
    client.send(setting(4, 0), frame(windowUpdate, { streamId: 1, payload: uint32(10) }));
    client.send(frame(ping, { payload: Buffer.from("are you?") }));
    await client.until(({ type }) => type === ping);
    expect(client.received.filter(({ type }) => type === data)).toHaveLength(1);
    client.send(frame(windowUpdate, { streamId: 1, payload: uint32(1_000) }));
    expect(await client.until(isEndOf(1))).toBeDefined();
  });

  test("§6.10: header fields may come in many frames", async () => {
    using client = dial();
    client.send(frame(headers, { streamId: 1, payload: say.subarray(0, 5) }));
    client.send(frame(continuation, { streamId: 1, payload: say.subarray(5, 20) }));
    client.send(frame(continuation, { flags: endHeaders, streamId: 1, payload: say.subarray(20) }), body(1));
    expect(await client.until(isEndOf(1))).toBeDefined();
  });

  test("§8.1: a request may end in trailers", async () => {
    using client = dial();
    client.send(begin(1), body(1, hello, 0), begin(1, literals([["a", "b"]]), endStream));
    expect(await client.until(isEndOf(1))).toBeDefined();
  });

  test("§8.3.1: a URL may stand for the authority, as clients of etcd 3.4 have it and Go's servers take it", async () => {
    using client = dial();
    const fields = callFields.map(
      ([name, value]) => [name, name === ":authority" ? "http://[::1]:2379" : value] as const,
    );
    client.send(begin(1, literals(fields)), body(1));
    expect(await client.until(isEndOf(1))).toBeDefined();
  });

  test("a connection is served wherever its bytes are cut", async () => {
    const bytes = Buffer.concat([preface, frame(settings), begin(1), body(1), begin(3), body(3)]);
    for (let at = 1; at < bytes.length; at++) {
      using client = new FrameClient(echo.url);
      client.socket.setNoDelay(true);
      client.send(bytes.subarray(0, at));
      await new Promise((resolve) => setImmediate(resolve));
      client.send(bytes.subarray(at));
      expect(await client.until(isEndOf(3))).toBeDefined();
      expect(client.received.filter(({ type }) => type === data)).toHaveLength(2);
    }
  });
});

describe("a client that asks and does not read", () => {
  test("more data than a stream's window takes ends the stream", async () => {
    using client = dial();
    const deaf = frameMessage(KeyValue.encode(keyValue("deaf")).finish());
    const chunk = Buffer.alloc(16_384);
    client.send(begin(1, chat), body(1, deaf, 0));
    for (let sent = 0; sent <= 512 * 1024; sent += chunk.length) client.send(body(1, chunk, 0));
    const reset = await client.until(({ type }) => type === rstStream);
    expect(reset && fateOf(reset)).toBe("stream 1: flowControlError");
    expect(await serves(client, 3)).toBe(true);
  });

  test("more data than the connection's window takes ends the connection", async () => {
    using client = dial();
    const deaf = frameMessage(KeyValue.encode(keyValue("deaf")).finish());
    const chunk = Buffer.alloc(16_384);
    for (let streamId = 1; streamId < 40; streamId += 2) {
      client.send(begin(streamId, chat), body(streamId, deaf, 0));
      for (let sent = 0; sent < 400 * 1024; sent += chunk.length) client.send(body(streamId, chunk, 0));
    }
    const end = await client.until(({ type }) => type === goaway);
    expect(end && fateOf(end)).toBe("connection: flowControlError");
  });

  test("a request that comes in frames of a byte is put together", async () => {
    using client = dial();
    const long = frameMessage(KeyValue.encode(keyValue("echo", "x".repeat(5_000))).finish());
    client.send(begin(1), ...Array.from(long, (byte) => body(1, Buffer.of(byte), 0)), body(1, Buffer.alloc(0)));
    expect(await client.until(isEndOf(1))).toBeDefined();
    const answer = client.received.filter(({ type }) => type === data).map(({ payload }) => payload);
    expect(Buffer.concat(answer).equals(long)).toBe(true);
  });

  test("new streams are refused while answers of 64 MiB wait for it, and taken again once it has read", async () => {
    using client = dial();
    const large = frameMessage(KeyValue.encode(keyValue("echo", "x".repeat(1024 * 1024))).finish());
    const refused = ({ type }: ReceivedFrame): boolean => type === rstStream;
    client.send(setting(4, 0));
    let streamId = 1;
    for (; streamId < 2 * 70; streamId += 2) {
      client.send(begin(streamId));
      for (let at = 0; at < large.length; at += 16_384)
        client.send(body(streamId, large.subarray(at, at + 16_384), at + 16_384 < large.length ? 0 : endStream));
    }
    const reset = await client.until(refused);
    expect(reset && nameOf(reset.payload.readUInt32BE(0))).toBe("refusedStream");
    expect(reset?.streamId).toBeGreaterThan(2 * 60);
    // All windows are opened: the answers leave, and there is room again.
    client.send(setting(4, 2 ** 24), frame(windowUpdate, { payload: uint32(2 ** 30) }));
    expect(await client.until(isEndOf((reset?.streamId ?? 0) - 2))).toBeDefined();
    expect(await serves(client, streamId)).toBe(true);
  });

  test("resetting one stream after the other ends the connection (CVE-2023-44487)", async () => {
    using client = dial();
    const opened = Array.from({ length: 1_000 }, (_, at) => begin(2 * at + 1, chat));
    const resets = opened.map((_, at) => frame(rstStream, { streamId: 2 * at + 1, payload: uint32(8) }));
    client.send(...opened.flatMap((each, at) => [each, resets[at] ?? each]));
    const again = Buffer.concat(resets);
    for (let round = 0; round < 150; round++) client.send(again);
    const end = await client.until(({ type }) => type === goaway);
    expect(end && fateOf(end)).toBe("connection: enhanceYourCalm");
  });
});

describe("a server that closes", () => {
  test("§6.8: takes what is on its way, says which stream was the last, and ends behind it", async () => {
    await using closing = await startEchoServer();
    using client = new FrameClient(closing.url);
    client.send(preface, frame(settings), begin(1));
    await expect.poll(() => openCalls(closing.server)).toBe(1);
    const closed = closing.server.close({ graceMs: 10_000 });
    const first = await client.until(({ type }) => type === goaway);
    expect(first?.payload.readUInt32BE(0)).toBe(2 ** 31 - 1);
    const asked = await client.until(({ type }) => type === ping);
    client.send(begin(3), frame(ping, { flags: flags.ack, payload: asked?.payload ?? Buffer.alloc(8) }));
    client.send(begin(5), body(1), body(3), body(5));
    await client.until(() => false);
    await closed;
    const [, last] = client.received.filter(({ type }) => type === goaway);
    expect([last?.payload.readUInt32BE(0), last?.payload.readUInt32BE(4)]).toEqual([3, 0]);
    const answered = [1, 3, 5].filter((id) => client.received.some(isEndOf(id)));
    expect(answered).toEqual([1, 3]);
  });
});
