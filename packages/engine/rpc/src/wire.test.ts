import { once } from "node:events";
import { gzipSync } from "node:zlib";
import { utf8Text } from "@conclave/base";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { frameMessage, prefixBytes } from "./message-frame.ts";
import { keyValue } from "./testing/echo-service.ts";
import { type RawAnswer, RawClient, type RawHead } from "./testing/raw-client.ts";
import { type EchoServer, openCalls, startEchoServer } from "./testing/start-server.ts";

const encode = (message: KeyValue): Uint8Array => KeyValue.encode(message).finish();
const hello = frameMessage(encode(keyValue("echo", "hello")));

/** A frame with a flag and a length that may be wrong. */
function frame(flag: number, { length, bytes = new Uint8Array() }: { length?: number; bytes?: Uint8Array }): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix[0] = flag;
  prefix.writeUInt32BE(length ?? bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

function summary({ headers, trailers, body }: RawAnswer): string {
  const parts = [headers?.[":status"], trailers?.["grpc-status"], trailers?.["grpc-message"], body.length];
  return parts.filter((part) => part !== undefined && part !== 0).join(" ");
}

interface Wire extends AsyncDisposable, EchoServer {
  readonly client: RawClient;
}

async function startWire(...options: Parameters<typeof startEchoServer>): Promise<Wire> {
  const server = await startEchoServer(...options);
  const client = new RawClient(server.url);
  const dispose = async (): Promise<void> => {
    client[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  };
  return { ...server, client, [Symbol.asyncDispose]: dispose };
}

interface Case {
  readonly name: string;
  readonly path?: string;
  readonly head?: RawHead;
  readonly chunks?: readonly Uint8Array[];
  readonly expected: string;
}

const malformed = frame(0, { bytes: Uint8Array.of(0x0a, 5, 97) });
const reason = "Cannot decode mvccpb.KeyValue as a field of 5 bytes has only 1 left, at byte 2";

// Statuses and texts are those that grpc-go's servers, and so etcd's clients, know.
const refused: readonly Case[] = [
  {
    name: "content type of JSON",
    head: { "content-type": "application/json" },
    expected: '415 3 invalid gRPC request content-type "application/json"',
  },
  {
    name: "content type of gRPC-Web",
    head: { "content-type": "application/grpc-web" },
    expected: '415 3 invalid gRPC request content-type "application/grpc-web"',
  },
  {
    name: "method other than POST",
    head: { ":method": "PUT" },
    expected: '405 13 Received a HEADERS frame with :method "PUT" which should be POST',
  },
  { name: "path of one part", path: "/foo", expected: '200 12 malformed method name: "/foo"' },
  { name: "service that is not there", path: "/a.B/C", expected: "200 12 unknown service a.B" },
  { name: "method that is not there", path: "/test.Echo/C", expected: "200 12 unknown method C for service test.Echo" },
  { name: "method left out", path: "/test.Echo/Never", expected: "200 12 unknown method Never for service test.Echo" },
  {
    name: "timeout without a number",
    head: { "grpc-timeout": "S" },
    expected: '400 13 malformed grpc-timeout: transport: timeout string is too short: "S"',
  },
  {
    name: "timeout of nine digits",
    head: { "grpc-timeout": "123456789S" },
    expected: '400 13 malformed grpc-timeout: transport: timeout string is too long: "123456789S"',
  },
  {
    name: "timeout of an unknown unit",
    head: { "grpc-timeout": "12x" },
    expected: '400 13 malformed grpc-timeout: transport: timeout unit is not recognized: "12x"',
  },
  {
    name: "negative timeout",
    head: { "grpc-timeout": "-1S" },
    expected: '400 13 malformed grpc-timeout: transport: timeout is not a number: "-1S"',
  },
  { name: "timeout that is over", head: { "grpc-timeout": "0S" }, expected: "200 4 context deadline exceeded" },
  {
    name: "encoding that is not known",
    head: { "grpc-encoding": "snappy" },
    expected: '200 12 grpc: Decompressor is not installed for grpc-encoding "snappy"',
  },
  {
    name: "compressed message without an encoding",
    chunks: [frame(1, { bytes: gzipSync("x") })],
    expected: "200 13 grpc: compressed flag set with identity or empty encoding",
  },
  {
    name: "message that is not of its encoding",
    head: { "grpc-encoding": "gzip" },
    chunks: [frame(1, { bytes: Buffer.from("x") })],
    expected: "200 13 grpc: failed to decompress the received message: unexpected end of file",
  },
  { name: "unknown flag", chunks: [frame(2, {})], expected: "200 13 grpc: received unexpected payload format 2" },
  {
    name: "no message",
    chunks: [],
    expected: "200 13 cardinality violation: received no request message from non-client-streaming RPC",
  },
  {
    name: "two messages",
    chunks: [hello, hello],
    expected: "200 13 cardinality violation: received multiple request messages for non-client-streaming RPC",
  },
  {
    name: "two messages in one frame",
    chunks: [Buffer.concat([hello, hello])],
    expected: "200 13 cardinality violation: received multiple request messages for non-client-streaming RPC",
  },
  { name: "part of a prefix", chunks: [hello.subarray(0, 3)], expected: "200 13 unexpected EOF" },
  { name: "part of a message", chunks: [hello.subarray(0, 9)], expected: "200 13 unexpected EOF" },
  {
    name: "message that is too long",
    chunks: [frame(0, { bytes: new Uint8Array(2_097_153) })],
    expected: "200 8 grpc: received message larger than max (2097153 vs. 2097152)",
  },
  {
    name: "prefix of a message that is too long",
    chunks: [frame(0, { length: 2 ** 32 - 1 })],
    expected: "200 8 grpc: received message larger than max (4294967295 vs. 2097152)",
  },
  { name: "malformed message", chunks: [malformed], expected: `200 13 grpc: error unmarshalling request: ${reason}` },
  {
    name: "malformed message on a stream",
    path: "/test.Echo/Chat",
    chunks: [malformed],
    expected: `200 13 grpc: failed to unmarshal the received message: ${reason}`,
  },
  {
    name: "message that is too long on a stream",
    path: "/test.Echo/Chat",
    chunks: [frame(0, { length: 2_097_153 })],
    expected: "200 8 grpc: received message larger than max (2097153 vs. 2097152)",
  },
  {
    name: "part of a message on a stream",
    path: "/test.Echo/Chat",
    chunks: [hello.subarray(0, 9)],
    expected: "200 13 unexpected EOF",
  },
];

describe("a request that is not sound", () => {
  test.each(refused)("is refused: $name", async ({ path = "/test.Echo/Say", head, chunks = [hello], expected }) => {
    await using wire = await startWire();
    expect(summary(await wire.client.send(path, chunks, head))).toBe(expected);
    expect(openCalls(wire.server)).toBe(0);
  });

  test("leaves the connection usable, and does nothing", async () => {
    await using wire = await startWire();
    for (const { path = "/test.Echo/Say", head, chunks = [hello] } of refused) {
      await wire.client.send(path, chunks, head);
    }
    expect(summary(await wire.client.send("/test.Echo/Say", [hello]))).toBe(`200 0 ${hello.length}`);
    expect(wire.server.stats.find(({ method }) => method === "Say")?.sent).toBe(1);
    expect(wire.faults).toEqual([]);
  });

  test("says which encodings are known", async () => {
    await using wire = await startWire();
    const { headers } = await wire.client.send("/test.Echo/Say", [hello], { "grpc-encoding": "br" });
    expect(headers?.["grpc-accept-encoding"]).toBe("identity,gzip");
  });

  test("says which binary metadata is not base64", async () => {
    await using wire = await startWire();
    const asked = frameMessage(encode(keyValue("metadata")));
    const answer = await wire.client.send("/test.Echo/Say", [asked], { "asked-bin": "not base64" });
    expect(summary(answer)).toBe(
      '200 13 malformed binary metadata "not base64" in header "asked-bin": illegal base64 data',
    );
  });

  test("is stopped while it is still sent", async () => {
    await using wire = await startWire();
    const { stream, answer } = wire.client.open("/test.Echo/Say");
    stream.write(frame(0, { length: 2 ** 31 }));
    expect(summary(await answer)).toMatch(/^200 8 /);
    expect(stream.destroyed).toBe(true);
  });
});

describe("a sound request", () => {
  test("is answered with the header fields, the message and the status, and nothing else", async () => {
    await using wire = await startWire();
    const { headers, trailers, body, resetCode } = await wire.client.send("/test.Echo/Say", [hello]);
    expect(Object.entries(headers ?? {})).toEqual([
      [":status", 200],
      ["content-type", "application/grpc"],
    ]);
    expect(Object.entries(trailers ?? {})).toEqual([["grpc-status", "0"]]);
    expect(body).toEqual(Buffer.from(hello));
    expect(resetCode).toBe(0);
  });

  test("is answered with the content type that it has", async () => {
    await using wire = await startWire();
    for (const type of ["application/grpc+proto", "application/grpc;charset=utf-8"]) {
      const { headers } = await wire.client.send("/test.Echo/Say", [hello], { "content-type": type });
      expect(headers?.["content-type"]).toBe(type);
    }
  });

  test("may be compressed with gzip, message by message", async () => {
    await using wire = await startWire();
    const message = encode(keyValue("echo", "a".repeat(1000)));
    const compressed = frame(1, { bytes: gzipSync(message) });
    const { body } = await wire.client.send("/test.Echo/Chat", [compressed, hello], { "grpc-encoding": "gzip" });
    expect(body.subarray(0, 5 + message.length + hello.length)).toEqual(Buffer.concat([frameMessage(message), hello]));
  });

  test("may not unpack to more than the maximum", async () => {
    await using wire = await startWire();
    const bomb = frame(1, { bytes: gzipSync(new Uint8Array(10_000_000)) });
    const answer = await wire.client.send("/test.Echo/Say", [bomb], { "grpc-encoding": "gzip" });
    expect(summary(answer)).toBe("200 8 grpc: received message after decompression larger than max 2097152");
  });

  test("may be as long as it was allowed to be", async () => {
    await using wire = await startWire({ maxRequestBytes: hello.length - prefixBytes });
    expect(summary(await wire.client.send("/test.Echo/Say", [hello]))).toBe(`200 0 ${hello.length}`);
    const longer = frameMessage(encode(keyValue("echo", "hello!")));
    expect(summary(await wire.client.send("/test.Echo/Say", [longer]))).toMatch(
      /^200 8 .*larger than max \(14 vs. 13\)/,
    );
  });

  test("runs when the client has ended its half, not before", async () => {
    await using wire = await startWire();
    const { stream, answer } = wire.client.open("/test.Echo/Say");
    stream.write(hello);
    // A second call on the connection is answered after the first one's message has been read.
    await wire.client.send("/test.Echo/Say", [hello]);
    expect(wire.server.stats.find(({ method }) => method === "Say")?.received).toBe(1);
    stream.end();
    expect(summary(await answer)).toBe(`200 0 ${hello.length}`);
  });
});

describe("a handler that fails", () => {
  test.each(["fault", "late fault", "not a message"])("is reported, and the client learns nothing: %s", async (key) => {
    await using wire = await startWire();
    const answer = await wire.client.send("/test.Echo/Say", [frameMessage(encode(keyValue(key)))]);
    expect(summary(answer)).toBe("200 2 internal error");
    expect(wire.faults).toEqual([expect.any(TypeError)]);
  });

  test("with a status of its own is not reported", async () => {
    await using wire = await startWire();
    await wire.client.send("/test.Echo/Say", [frameMessage(encode(keyValue("wire error")))]);
    expect(wire.faults).toEqual([]);
  });
});

describe("a stream dropped", () => {
  const waiting = frameMessage(encode(keyValue("wait")));

  async function expectNothingOpen(wire: Wire): Promise<void> {
    // Handled after everything that was sent before it on this connection.
    await wire.client.send("/test.Echo/Say", [hello]);
    expect(openCalls(wire.server)).toBe(0);
  }

  // `destroy` resets the stream and no more; Node's `close` ends the client's half before.
  test.each([3, 9])("in the middle of a message, after %d bytes, runs nothing", async (length) => {
    await using wire = await startWire();
    const { stream } = wire.client.open("/test.Echo/Say");
    await new Promise((resolve) => stream.write(hello.subarray(0, length), resolve));
    stream.destroy();
    await once(stream, "close");
    await expectNothingOpen(wire);
    expect(wire.server.stats.find(({ method }) => method === "Say")).toMatchObject({ started: 2, received: 1 });
  });

  test("in the middle of a message, ends the handler that waits for it", async () => {
    await using wire = await startWire();
    const { stream } = wire.client.open("/test.Echo/Chat");
    await new Promise((resolve) => stream.write(hello.subarray(0, 9), resolve));
    await wire.client.send("/test.Echo/Say", [hello]);
    stream.destroy();
    expect(await wire.happenings.next()).toBe("chat: context canceled");
    await expectNothingOpen(wire);
  });

  test("after a whole message but before its end, runs nothing", async () => {
    await using wire = await startWire();
    const { stream } = wire.client.open("/test.Echo/Say");
    await new Promise((resolve) => stream.write(hello, resolve));
    await wire.client.send("/test.Echo/Say", [hello]);
    stream.destroy();
    await expectNothingOpen(wire);
    expect(wire.server.stats.find(({ method }) => method === "Say")).toMatchObject({ started: 3, received: 2 });
  });

  test("while its handler works, aborts it", async () => {
    await using wire = await startWire();
    const { stream } = wire.client.open("/test.Echo/Say");
    stream.end(waiting);
    expect(await wire.happenings.next()).toBe("waiting");
    stream.close(8);
    expect(await wire.happenings.next()).toBe("aborted: 1 context canceled");
    await expectNothingOpen(wire);
  });

  test("with its connection, aborts every handler on it", async () => {
    await using wire = await startWire();
    for (let calls = 0; calls < 10; calls++) {
      wire.client.open("/test.Echo/Say").stream.end(waiting);
      expect(await wire.happenings.next()).toBe("waiting");
    }
    wire.client[Symbol.dispose]();
    for (let calls = 0; calls < 10; calls++) {
      expect(await wire.happenings.next()).toBe("aborted: 1 context canceled");
    }
    expect(openCalls(wire.server)).toBe(0);
  });
});

describe("a deadline", () => {
  const late = { "grpc-timeout": "20m" };

  test("ends a call that is not answered, and aborts its handler", async () => {
    await using wire = await startWire();
    const answer = await wire.client.send("/test.Echo/Say", [frameMessage(encode(keyValue("wait")))], late);
    expect(summary(answer)).toBe("200 4 context deadline exceeded");
    expect([await wire.happenings.next(), await wire.happenings.next()]).toEqual([
      "waiting",
      "aborted: 4 context deadline exceeded",
    ]);
    expect(wire.faults).toEqual([]);
  });

  test("ends a stream after what was sent", async () => {
    await using wire = await startWire();
    const { stream, answer } = wire.client.open("/test.Echo/Chat", late);
    stream.write(hello);
    expect(summary(await answer)).toBe(`200 4 context deadline exceeded ${hello.length}`);
    expect(await wire.happenings.next()).toBe("chat: context deadline exceeded");
  });

  test("that is beyond every timer is none", async () => {
    await using wire = await startWire();
    const answer = await wire.client.send("/test.Echo/Say", [hello], { "grpc-timeout": "99999999H" });
    expect(summary(answer)).toBe(`200 0 ${hello.length}`);
  });
});

describe("stats", () => {
  test("count calls, messages and statuses by method", async () => {
    await using wire = await startWire();
    const three = frameMessage(encode(keyValue("count", "", 3)));
    await wire.client.send("/test.Echo/Count", [three]);
    await wire.client.send("/test.Echo/Count", [frameMessage(encode(keyValue("fail")))]);
    expect(wire.server.stats.find(({ method }) => method === "Count")).toMatchObject({
      service: "test.Echo",
      kind: "serverStream",
      started: 2,
      received: 2,
      sent: 3,
      handled: new Map([
        [0, 1],
        [11, 1],
      ]),
    });
  });
});

test("a half-closed client still gets what its handler has to say", async () => {
  await using wire = await startWire();
  const { body } = await wire.client.send("/test.Echo/Chat", [hello]);
  const last = KeyValue.decode(body.subarray(hello.length + prefixBytes));
  expect(utf8Text(last.key)).toBe("half-closed");
});
