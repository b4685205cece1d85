/** @module A listening side with TLS and a client of it, over real sockets. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect } from "node:tls";
import type { TlsServerOptions } from "../tls-server.ts";
import { createTlsServer, type SecuredConnection } from "../tls-server.ts";

/** A directory that goes away. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "conclave-tls-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A line of the log. */
export interface LogLine {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A side that is connected to, on a free port. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly lines: readonly LogLine[];
  /** What is known of the clients that were let in. */
  readonly secured: readonly SecuredConnection[];
  /** Resolves once there are so many lines in the log. */
  logged(count: number): Promise<void>;
}

/** Starts it; it says "hello" to every client that is let in, and hangs up. */
export async function startTestServer(options: Omit<TlsServerOptions, "log">): Promise<TestServer> {
  const lines: LogLine[] = [];
  const secured: SecuredConnection[] = [];
  const waiting = new Set<() => void>();
  const log = {
    warn: (message: string, fields = {}) => {
      lines.push({ message, fields });
      for (const look of waiting) look();
    },
  };
  const acceptor = (await createTlsServer({ ...options, log })).acceptor((connection) => {
    secured.push(connection);
    connection.socket.end("hello");
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
    acceptor.secure(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    lines,
    secured,
    async logged(count) {
      await new Promise<void>((resolve) => {
        const look = () => {
          if (lines.length >= count) resolve();
        };
        waiting.add(look);
        look();
      });
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), "close");
    },
  };
}

/** What a client got: what the server said and the certificate it showed, or why it was not let in. */
export type Visit =
  | { readonly said: string; readonly serial: string; readonly protocol: string }
  | { readonly refused: string };

/** Connects, listens and hangs up. */
export async function visit(port: number, options: ConnectionOptions): Promise<Visit> {
  return await new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", ...options });
    let said = "";
    let serial = "";
    let protocol = "";
    let refused = "the server hung up";
    socket.once("secureConnect", () => {
      serial = socket.getPeerX509Certificate()?.serialNumber ?? "";
      protocol = socket.getProtocol() ?? "";
    });
    socket.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    socket.on("error", (error) => {
      refused = error.message;
    });
    socket.once("close", () => resolve(said === "" ? { refused } : { said, serial, protocol }));
  });
}
