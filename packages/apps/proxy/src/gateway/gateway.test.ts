import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { freePorts } from "@conclave/testkit";
import { afterEach, expect, test } from "vitest";
import { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A member that serves each connection as it is told; by default it says its name and hangs up. */
async function startNamed(name: string, { port = 0, serve = (socket: Socket) => void socket.end(name) } = {}) {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => serve(socket.on("error", () => undefined)));
  await once(server.listen(port, "127.0.0.1"), "listening");
  closing.push(() => server.close());
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function start(addresses: readonly string[], options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const endpoints = addresses.map((address) => ({ address, scheme: "http", priority: 0, weight: 1 }));
  const gateway = await startGateway({ listenAddr: "127.0.0.1:0", endpoints, ...options });
  closing.push(() => gateway.close());
  return gateway;
}

function dial({ address }: { readonly address: string }): Socket {
  const socket = connect({ port: Number(address.split(":")[1]), host: "127.0.0.1", allowHalfOpen: true });
  closing.push(() => socket.destroy());
  return socket.on("error", () => undefined);
}

/** Resolves when nothing more comes. */
async function over(socket: Socket): Promise<void> {
  await Promise.race([once(socket.resume(), "end"), once(socket, "close")]);
}

const said = (at: { readonly address: string }): Promise<string> => text(dial(at).end());

/** A log of which a line can be awaited. */
function awaitableLog() {
  const lines: string[] = [];
  let wake = (): void => undefined;
  const record = (message: string): void => {
    lines.push(message);
    wake();
  };
  return {
    log: { info: record, warn: record, error: record },
    lines,
    async logged(line: string): Promise<void> {
      while (!lines.includes(line)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

test("leads each connection to the next member", async () => {
  const members = await Promise.all([startNamed("a"), startNamed("b"), startNamed("c")]);
  const gateway = await start(members.map(({ address }) => address));
  const heard: string[] = [];
  for (let count = 0; count < 6; count++) heard.push(await said(gateway));
  expect(heard).toEqual(["a", "b", "c", "a", "b", "c"]);
});

test("passes over a member that cannot be dialled, and takes it back when it can", async () => {
  const [port = 0] = await freePorts(1);
  const { address } = await startNamed("up");
  const { log, lines, logged } = awaitableLog();
  const gateway = await start([`127.0.0.1:${port}`, address], { retryDelayMs: 20, log });
  expect([await said(gateway), await said(gateway)]).toEqual(["up", "up"]);
  expect(lines.filter((line) => line === "deactivated endpoint")).toHaveLength(1);
  await logged("failed to activate endpoint (stay inactive for another interval)");
  await startNamed("back", { port });
  await logged("activated endpoint");
  expect(new Set([await said(gateway), await said(gateway)])).toEqual(new Set(["up", "back"]));
});

test("hangs up when no member can be dialled", async () => {
  const [port = 0] = await freePorts(1);
  expect(await said(await start([`127.0.0.1:${port}`]))).toBe("");
});

test("each way ends by itself: what comes after the end of the other is passed on", async () => {
  const received: Promise<string>[] = [];
  const { address } = await startNamed("", {
    serve: (socket) => {
      socket.end("goodbye");
      received.push(text(socket));
    },
  });
  const client = dial(await start([address]));
  expect(String((await once(client, "data"))[0])).toBe("goodbye");
  await once(client, "end");
  const long = "x".repeat(4 * 1024 * 1024);
  client.end(long);
  expect((await received[0])?.length).toBe(long.length);
});

test("a member that breaks off breaks off its client, and the other way round", async () => {
  const { address } = await startNamed("", {
    serve: (socket) => void socket.once("data", () => socket.resetAndDestroy()),
  });
  const broken = dial(await start([address]));
  broken.write("anything");
  await over(broken);

  const arrived: Socket[] = [];
  const patient = await startNamed("", { serve: (socket) => void arrived.push(socket) });
  const client = dial(await start([patient.address]));
  client.write("anything");
  await once(patient.server, "connection");
  const [socket] = arrived;
  client.resetAndDestroy();
  if (socket !== undefined) await over(socket);
});

test("a client that does not read holds back its member, not the gateway's memory", async () => {
  const chunk = Buffer.alloc(1024 * 1024);
  const sent = { chunks: 0 };
  const { address } = await startNamed("", {
    serve: (socket) => {
      const pump = (): void => {
        while (sent.chunks++ < 256 && socket.write(chunk));
        if (sent.chunks < 256) socket.once("drain", pump);
      };
      pump();
    },
  });
  const client = dial(await start([address])).pause();
  await once(client, "connect");
  let before = -1;
  while (before !== sent.chunks) {
    before = sent.chunks;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(sent.chunks).toBeLessThan(64);
});

test("further connections than it may have are closed at once", async () => {
  const { address } = await startNamed("", { serve: (socket) => void socket.write("hello") });
  const gateway = await start([address], { connectionsMax: 1 });
  const first = dial(gateway);
  await once(first, "data");
  expect(await said(gateway)).toBe("");
});

test("closing ends every connection", async () => {
  const { address } = await startNamed("", { serve: (socket) => void socket.write("hello") });
  const gateway = await start([address]);
  const client = dial(gateway);
  await once(client, "data");
  const ended = once(client.resume(), "end");
  await gateway.close();
  await ended;
});

test.each([
  [{ listenAddr: "nowhere" }, "CONFIG", /not "host:port"/],
  [{ endpoints: [] }, "CONFIG", /no endpoints found/],
] as const)("refuses %j", async (options, code, message) => {
  await expect(start(["127.0.0.1:1"], options)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

test("says when the address is taken", async () => {
  const { address } = await startNamed("");
  await expect(start(["127.0.0.1:1"], { listenAddr: address })).rejects.toMatchObject({ code: "LISTEN" });
});
