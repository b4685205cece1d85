/** @module The transports against real sockets on the loopback interface. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import {
  constants,
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GrpcStatus } from "@conclave/protocol";
import { type handleBidiStreamingCall, type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { parseEndpoint } from "./endpoint.ts";
import { createGrpcTransport } from "./grpc-transport.ts";
import { Http2Connection } from "./http2-connection.ts";
import { createHttp2Transport } from "./http2-transport.ts";
import { TransportError, type UnaryCall } from "./transport.ts";
import { transportSettings } from "./transport-options.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const bytes = (buffer: Buffer) => buffer;

interface Handlers {
  readonly unary?: handleUnaryCall<Buffer, Buffer>;
  readonly stream?: handleBidiStreamingCall<Buffer, Buffer>;
}

/** Serves one unary method and one stream on a free port, or where it is told. */
async function serve(
  { unary, stream }: Handlers,
  address = "127.0.0.1:0",
  security = ServerCredentials.createInsecure(),
): Promise<string> {
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  const codecs = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const definition = {
    unary: { path: "/test/Unary", requestStream: false, responseStream: false, ...codecs },
    stream: { path: "/test/Stream", requestStream: true, responseStream: true, ...codecs },
  };
  server.addService(definition, { unary: unary ?? (() => {}), stream: stream ?? (() => {}) });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(address, security, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  cleanups.push(() => server.forceShutdown());
  return address.startsWith("unix:") ? address : `127.0.0.1:${port}`;
}

/** A server that takes connections and says nothing. */
async function serveSilence(): Promise<string> {
  const sockets: Socket[] = [];
  const server: NetServer = createServer((socket) => sockets.push(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await once(server.close(), "close");
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Passes bytes on to another server until it is told to cut every connection, or to pass nothing more. */
async function serveThrough(target: string): Promise<{ endpoint: string; cut: () => void; freeze: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const onward = connect(Number(target.split(":")[1]), "127.0.0.1");
    sockets.push(socket, onward);
    for (const end of [socket, onward]) end.on("error", () => {});
    socket.pipe(onward).pipe(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  cleanups.push(async () => {
    cut();
    await once(server.close(), "close");
  });
  const freeze = () => {
    for (const socket of sockets) socket.unpipe().pause();
  };
  return { endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`, cut, freeze };
}

/** A member of which each stream is answered by hand. */
async function serveByHand(
  onStream: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void,
): Promise<{ readonly endpoint: string; readonly sessions: readonly ServerHttp2Session[] }> {
  const server = createHttp2Server();
  const sessions: ServerHttp2Session[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    const { session } = stream;
    if (session !== undefined) onStream(stream, session as ServerHttp2Session);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(async () => {
    for (const session of sessions) session.destroy();
    await once(server.close(), "close");
  });
  return { endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`, sessions };
}

/** Answers with one message and a status. */
function answerByHand(stream: ServerHttp2Stream, trailers: Readonly<Record<string, string>>, flag = 0): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end(Buffer.of(flag, 0, 0, 0, 1, 7));
}

/** An address where nobody listens. */
async function nowhere(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return `127.0.0.1:${port}`;
}

function callTo(endpoint: string, more: Partial<UnaryCall> = {}): UnaryCall {
  const request = Uint8Array.of(1, 2, 3);
  const signal = new AbortController().signal;
  return { endpoint, path: "/test/Unary", request, metadata: {}, timeoutMs: 10_000, signal, ...more };
}

async function failureOf(promise: Promise<unknown>): Promise<TransportError> {
  const outcome = await promise.catch((error: unknown) => error);
  if (!(outcome instanceof TransportError)) throw new Error(`no error of the transport: ${outcome}`);
  return outcome;
}

/** A certificate for `member.test`, signed by itself. */
async function certificate(): Promise<{ cert: Buffer; key: Buffer }> {
  const directory = await mkdtemp(join(tmpdir(), "conclave-client-"));
  const [certFile, keyFile] = [join(directory, "cert"), join(directory, "key")];
  const names = ["-subj", "/CN=member.test", "-addext", "subjectAltName=DNS:member.test"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const made = spawnSync("openssl", ["req", "-x509", ...curve, ...names, "-out", certFile, "-keyout", keyFile]);
  expect(made.status).toBe(0);
  const pair = { cert: await readFile(certFile), key: await readFile(keyFile) };
  await rm(directory, { recursive: true });
  return pair;
}

const openssl = spawnSync("openssl", ["version"]).status === 0;

const transports = [
  ["@grpc/grpc-js", createGrpcTransport],
  ["node:http2", createHttp2Transport],
] as const;

describe.each(transports)("a transport on %s:", (_name, create) => {
  function transport() {
    const made = create();
    cleanups.push(() => made.close());
    return made;
  }

  describe("unary()", () => {
    test("brings request, metadata and patience there, and the answer back as plain bytes", async () => {
      const endpoint = await serve({
        unary(call, answer) {
          const patience = call.getDeadline();
          expect(patience).not.toBe(Number.POSITIVE_INFINITY);
          answer(null, Buffer.concat([call.request, Buffer.from(String(call.metadata.get("hasleader")))]));
        },
      });
      const answer = await transport().unary(callTo(endpoint, { metadata: { hasleader: "true" } }));
      expect(Object.getPrototypeOf(answer)).toBe(Uint8Array.prototype);
      expect(Buffer.from(answer).toString("latin1")).toBe("\x01\x02\x03true");
    });

    test("gives status and text of an error to the letter", async () => {
      const endpoint = await serve({
        unary: (_call, answer) =>
          answer({ code: GrpcStatus.OutOfRange, details: "etcdserver: mvcc: required revision has been compacted" }),
      });
      const byName = endpoint.replace("127.0.0.1", "localhost");
      expect(await failureOf(transport().unary(callTo(byName)))).toMatchObject({
        status: GrpcStatus.OutOfRange,
        message: "etcdserver: mvcc: required revision has been compacted",
        sent: true,
      });
    });

    test("T9: takes answers of any size", async () => {
      const size = 9 * 1024 * 1024;
      const endpoint = await serve({ unary: (_call, answer) => answer(null, Buffer.alloc(size, 7)) });
      expect(await transport().unary(callTo(endpoint))).toHaveLength(size);
    });

    test("knows that nothing was sent where nobody listens", async () => {
      const failure = await failureOf(transport().unary(callTo(await nowhere())));
      expect(failure).toMatchObject({ status: GrpcStatus.Unavailable, sent: false });
      expect(failure.message).toContain("ECONNREFUSED");
    });

    test("knows that nothing was sent over a connection that never stood", async () => {
      const endpoint = await serveSilence();
      const controller = new AbortController();
      const failure = failureOf(transport().unary(callTo(endpoint, { signal: controller.signal })));
      setImmediate(() => controller.abort());
      expect(await failure).toMatchObject({ status: GrpcStatus.Canceled, sent: false });
    });

    test("knows that nothing was sent while a connection is tried again and again", async () => {
      const made = transport();
      const endpoint = await nowhere();
      await failureOf(made.unary(callTo(endpoint)));
      for (let n = 0; n < 20; n++) {
        const controller = new AbortController();
        const failure = failureOf(made.unary(callTo(endpoint, { signal: controller.signal })));
        // At any moment of the channel's own backoff.
        setTimeout(() => controller.abort(), n * 7);
        expect((await failure).sent).toBe(false);
      }
    });

    test("waits for a connection no longer than it may, and nothing was sent", async () => {
      const impatient = create({ connectTimeoutMs: 50 });
      cleanups.push(() => impatient.close());
      const endpoint = await serveSilence();
      const failure = await failureOf(impatient.unary(callTo(endpoint)));
      expect(failure).toMatchObject({
        status: GrpcStatus.Unavailable,
        sent: false,
        message: "no connection within 50 ms",
      });
      const ended = new Promise((resolve) => {
        impatient.stream({ endpoint, path: "/test/Stream", metadata: {} }, { onMessage: () => {}, onEnd: resolve });
      });
      expect(await ended).toMatchObject({ status: GrpcStatus.Unavailable, message: "no connection within 50 ms" });
    });

    test("waits for an answer as long as the caller does", async () => {
      const patient = create({ connectTimeoutMs: 1_000 });
      cleanups.push(() => patient.close());
      const endpoint = await serve({
        unary: (call, answer) => void setTimeout(() => answer(null, call.request), 1_200),
      });
      expect(await patient.unary(callTo(endpoint))).toHaveLength(3);
    });

    test("waits however long the caller does, be it longer than a timer can", async () => {
      const endpoint = await serve({
        unary: (call, answer) => answer(null, Buffer.from(String(call.getDeadline() === Number.POSITIVE_INFINITY))),
      });
      for (const timeoutMs of [2 ** 31, 1e15, Number.POSITIVE_INFINITY])
        expect(Buffer.from(await transport().unary(callTo(endpoint, { timeoutMs }))).toString("latin1")).toBe("true");
    });

    test("takes no call and no stream once it is closed", async () => {
      const endpoint = await serve({ unary: (call, answer) => answer(null, call.request) });
      const made = transport();
      await made.unary(callTo(endpoint));
      made.close();
      expect(await failureOf(made.unary(callTo(endpoint)))).toMatchObject({
        status: GrpcStatus.Unavailable,
        sent: false,
      });
      const ended = new Promise((resolve) => {
        made.stream({ endpoint, path: "/test/Stream", metadata: {} }, { onMessage: () => {}, onEnd: resolve });
      });
      expect(await ended).toMatchObject({ message: "the transport is closed" });
    });

    test("closed while it connects sends nothing", async () => {
      const made = transport();
      const failure = failureOf(made.unary(callTo(await serveSilence())));
      await new Promise((resolve) => setImmediate(resolve));
      made.close();
      expect(await failure).toMatchObject({ status: GrpcStatus.Unavailable, sent: false });
    });

    test("knows that nothing was sent with a signal that had aborted", async () => {
      const endpoint = await serve({});
      const failure = await failureOf(transport().unary(callTo(endpoint, { signal: AbortSignal.abort() })));
      expect(failure.sent).toBe(false);
    });

    test("admits that a request was sent when it is aborted, and tells the member", async () => {
      let canceled: () => void = () => {};
      const gone = new Promise<void>((resolve) => {
        canceled = resolve;
      });
      const controller = new AbortController();
      const endpoint = await serve({
        unary(call) {
          call.on("cancelled", canceled);
          controller.abort();
        },
      });
      const failure = await failureOf(transport().unary(callTo(endpoint, { signal: controller.signal })));
      expect(failure).toMatchObject({ status: GrpcStatus.Canceled, sent: true });
      await gone;
    });

    test("admits that a request was sent when the connection breaks", async () => {
      let cut: () => void = () => {};
      const through = await serveThrough(await serve({ unary: () => cut() }));
      cut = through.cut;
      expect(await failureOf(transport().unary(callTo(through.endpoint)))).toMatchObject({
        status: GrpcStatus.Unavailable,
        sent: true,
      });
    });

    test("repeats nothing that is under way when the member says goodbye, and goes on over another connection", async () => {
      const member = await serveByHand((stream, session) => {
        session.goaway();
        setTimeout(() => answerByHand(stream, { "grpc-status": "0" }), 20);
      });
      const made = transport();
      for (let n = 0; n < 3; n++) expect(await made.unary(callTo(member.endpoint))).toEqual(Uint8Array.of(7));
      expect(member.sessions).toHaveLength(3);
    });

    test("reads the text of an error that is written in percents, and one that is not", async () => {
      const texts = ["gr%C3%BCn%0A100%25", "100%"];
      const member = await serveByHand((stream) =>
        answerByHand(stream, { "grpc-status": "9", "grpc-message": texts.shift() ?? "" }),
      );
      for (const message of ["grün\n100%", "100%"])
        expect(await failureOf(transport().unary(callTo(member.endpoint)))).toMatchObject({
          status: GrpcStatus.FailedPrecondition,
          message,
        });
    });

    test("says what an answer means that is none of gRPC", async () => {
      const statuses = [503, 404, 401, 418];
      const member = await serveByHand((stream) =>
        stream.respond({ ":status": statuses.shift() ?? 200 }, { endStream: true }),
      );
      const { Unavailable, Unimplemented, Unauthenticated, Unknown } = GrpcStatus;
      for (const status of [Unavailable, Unimplemented, Unauthenticated, Unknown])
        expect((await failureOf(transport().unary(callTo(member.endpoint)))).status).toBe(status);
    });

    test("refuses a compressed answer, which it has not asked for", async () => {
      const member = await serveByHand((stream) => answerByHand(stream, { "grpc-status": "0" }, 1));
      const { status } = await failureOf(transport().unary(callTo(member.endpoint)));
      // By the protocol it is the first; grpc-js says nothing.
      expect([GrpcStatus.Internal, GrpcStatus.Unknown]).toContain(status);
    });

    test("fails where the member resets the stream, or refuses it", async () => {
      const codes = [constants.NGHTTP2_INTERNAL_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM];
      const member = await serveByHand((stream) => stream.close(codes.shift() ?? constants.NGHTTP2_REFUSED_STREAM));
      for (const status of [GrpcStatus.Internal, GrpcStatus.ResourceExhausted, GrpcStatus.Unavailable])
        expect((await failureOf(transport().unary(callTo(member.endpoint)))).status).toBe(status);
    });

    test("gives up a connection on which a ping is not answered", { timeout: 30_000 }, async () => {
      const made = create({ keepaliveTimeoutMs: 200 });
      cleanups.push(() => made.close());
      const through = await serveThrough(await serve({ unary: () => through.freeze() }));
      const failure = await failureOf(made.unary(callTo(through.endpoint, { timeoutMs: 25_000 })));
      expect(failure).toMatchObject({ status: GrpcStatus.Unavailable, sent: true });
    });

    test("fails with metadata that no header may hold, and goes on with others", async () => {
      const endpoint = await serve({ unary: (call, answer) => answer(null, call.request) });
      const made = transport();
      for (let n = 0; n < 2; n++) {
        const outcome = made.unary(callTo(endpoint, { metadata: { token: "one\ntwo" } }));
        await expect(outcome).rejects.toThrow(Error);
        expect(await made.unary(callTo(endpoint))).toHaveLength(3);
      }
    });

    test("reaches a member over a unix socket", async () => {
      const directory = await mkdtemp(join(tmpdir(), "conclave-client-"));
      cleanups.push(() => rm(directory, { recursive: true }));
      const endpoint = await serve(
        { unary: (call, answer) => answer(null, call.request) },
        `unix:${join(directory, "socket")}`,
      );
      expect(await transport().unary(callTo(endpoint))).toHaveLength(3);
    });
  });

  describe.skipIf(!openssl)(openssl ? "https" : "https: openssl is not installed", () => {
    const echo: Handlers = { unary: (call, answer) => answer(null, call.request) };

    test("reaches a member whose certificate is trusted, under the name it has", async () => {
      const { cert, key } = await certificate();
      const security = ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]);
      const endpoint = `https://${await serve(echo, "127.0.0.1:0", security)}`;
      const trusting = create({ tls: { ca: cert, serverName: "member.test" } });
      cleanups.push(() => trusting.close());
      expect(await trusting.unary(callTo(endpoint))).toHaveLength(3);
      const byName = endpoint.replace("127.0.0.1", "localhost");
      expect(await failureOf(transport().unary(callTo(byName)))).toMatchObject({
        status: GrpcStatus.Unavailable,
        sent: false,
      });
    });

    test("shows its own certificate to a member that asks for one", async () => {
      const { cert, key } = await certificate();
      const security = ServerCredentials.createSsl(cert, [{ cert_chain: cert, private_key: key }], true);
      const endpoint = `https://${await serve(echo, "127.0.0.1:0", security)}`;
      const made = create({ tls: { ca: cert, cert, key, serverName: "member.test" } });
      cleanups.push(() => made.close());
      expect(await made.unary(callTo(endpoint))).toHaveLength(3);
    });
  });

  describe("stream()", () => {
    const open = (endpoint: string, onMessage: (message: Uint8Array) => void) => {
      let ended: (error: TransportError | undefined) => void = () => {};
      const end = new Promise<TransportError | undefined>((resolve) => {
        ended = resolve;
      });
      const made = transport();
      const stream = made.stream({ endpoint, path: "/test/Stream", metadata: {} }, { onMessage, onEnd: ended });
      return { stream, end, made };
    };

    test("carries messages both ways and ends in order", async () => {
      const endpoint = await serve({
        stream(call) {
          call.on("data", (message: Buffer) => call.write(Buffer.from([...message].reverse())));
          call.on("end", () => call.end());
        },
      });
      const messages: number[][] = [];
      const { stream, end } = open(endpoint, (message) => messages.push([...message]));
      stream.write(Uint8Array.of(1, 2));
      stream.write(Uint8Array.of(3, 4));
      stream.halfClose();
      expect(await end).toBeUndefined();
      expect(messages).toEqual([
        [2, 1],
        [4, 3],
      ]);
    });

    test("ends with the member's error", async () => {
      const endpoint = await serve({
        stream: (call) => call.emit("error", { code: GrpcStatus.Unavailable, details: "etcdserver: no leader" }),
      });
      expect(await open(endpoint, () => {}).end).toMatchObject({
        message: "etcdserver: no leader",
        status: GrpcStatus.Unavailable,
      });
    });

    test("ends with an error where nobody listens", async () => {
      expect(await open(await nowhere(), () => {}).end).toMatchObject({ status: GrpcStatus.Unavailable });
    });

    test("paused holds the member back", async () => {
      let sent = 0;
      let blocked: () => void = () => {};
      const full = new Promise<void>((resolve) => {
        blocked = resolve;
      });
      const endpoint = await serve({
        stream(call) {
          const pump = () => {
            while (sent < 200 && call.write(Buffer.alloc(64 * 1024))) sent++;
            if (sent < 200) blocked();
            else call.end();
          };
          call.on("drain", pump);
          call.on("data", pump);
        },
      });
      let received = 0;
      const { stream, end } = open(endpoint, () => {
        received++;
      });
      stream.pause();
      stream.write(Uint8Array.of(1));
      await full;
      for (let before = -1; before < sent; await sleep(100)) before = sent;
      expect(sent).toBeLessThan(100);
      expect(received).toBeLessThan(20);
      stream.resume();
      await end;
      expect(received).toBeGreaterThanOrEqual(200);
    });

    test("canceled says nothing more, and the member hears of it", async () => {
      let heard: () => void = () => {};
      const gone = new Promise<void>((resolve) => {
        heard = resolve;
      });
      const endpoint = await serve({
        stream(call) {
          call.on("cancelled", heard);
          call.write(Buffer.of(1));
        },
      });
      let ended = false;
      const first = new Promise<void>((resolve) => {
        const { stream, end } = open(endpoint, () => {
          stream.cancel();
          resolve();
        });
        void end.then(() => {
          ended = true;
        });
      });
      await first;
      await gone;
      expect(ended).toBe(false);
    });
  });
});

test("a call that the member refused was not looked at: createHttp2Transport() says that nothing was sent", async () => {
  const member = await serveByHand((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
  const made = createHttp2Transport();
  cleanups.push(() => made.close());
  expect(await failureOf(made.unary(callTo(member.endpoint)))).toMatchObject({
    status: GrpcStatus.Unavailable,
    sent: false,
  });
});

test("createHttp2Transport() refuses a second answer to one request", async () => {
  const member = await serveByHand((stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.write(Buffer.of(0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 8));
  });
  const made = createHttp2Transport();
  cleanups.push(() => made.close());
  expect(await failureOf(made.unary(callTo(member.endpoint)))).toMatchObject({
    status: GrpcStatus.Internal,
    message: "more than one response",
  });
});

test("a connection of createHttp2Transport() takes no more calls than there are numbers for streams", async () => {
  const endpoint = await serve({ unary: (call, answer) => answer(null, call.request) });
  const settings = transportSettings({});
  const target = { endpoint: parseEndpoint(endpoint), security: undefined, settings, callsMax: 2 };
  const connection = new Http2Connection(target);
  cleanups.push(() => connection.destroy("the test is over"));
  await connection.up;
  const ended = once(connection.session, "close");
  for (const takesCalls of [true, false]) {
    connection.beginCall();
    expect(connection.takesCalls).toBe(takesCalls);
  }
  connection.endCall();
  expect(connection.session.closed).toBe(false);
  connection.endCall();
  await ended;
});
