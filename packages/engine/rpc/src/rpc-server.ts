import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { wireErrors } from "@conclave/protocol";
import { Dispatcher } from "./dispatcher.ts";
import { awaitFirstBytes } from "./first-bytes.ts";
import { awaitFirstRequest } from "./first-request.ts";
import { type Listener, startListener } from "./listener.ts";
import type { MethodStats } from "./method-counters.ts";
import { announcedSettings, type Http2Connection, serveHttp2 } from "./node-http2.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcError } from "./rpc-error.ts";
import type { ServerCall } from "./server-call.ts";
import type { ServiceBinding } from "./service.ts";
import type { Peer } from "./transport.ts";

/** What a server is told. Durations are in milliseconds. */
export interface RpcServerOptions {
  /** The services to be called. */
  readonly services: readonly ServiceBinding[];
  /** Answers what comes as HTTP/1.1 on the same addresses; default: 404. */
  readonly http1?: RequestListener;
  /** Longest request message in bytes; default 2 MiB, which is etcd's 1.5 MiB and 512 KiB for what is around it. */
  readonly maxRequestBytes?: number;
  /** Bytes that may wait for a slow client before `write` says that there is no room; default and least: 64 KiB. */
  readonly highWaterBytes?: number;
  /** Streams a client may have open on one connection; default 2^32 − 1, as etcd's. */
  readonly maxConcurrentStreams?: number;
  /** Connections at once, further ones are closed at once; default: no bound but the system's. */
  readonly maxConnections?: number;
  /** Time a connection has to tell what it speaks, and an HTTP/1.1 request for its header fields; default 10 000. */
  readonly handshakeTimeoutMs?: number;
  /** Least time between two pings of a client; one that pings more often is disconnected. Default 5 000, as etcd's. */
  readonly pingIntervalMinMs?: number;
  /** Silence after which a client is pinged; default 2 h, as etcd's. */
  readonly keepAliveIntervalMs?: number;
  /** Time a client has to answer that ping; default 20 000, as etcd's. */
  readonly keepAliveTimeoutMs?: number;
  /** Is told of what a handler threw that carries no status of its own, a fault of the program; default: nobody. */
  readonly onHandlerError?: (error: unknown, call: ServerCall) => void;
}

/** How a server closes. */
export interface RpcServerCloseOptions {
  /** Time that calls in flight have to finish, in milliseconds; default 500. */
  readonly graceMs?: number;
}

/** A server of gRPC, and of HTTP/1.1 beside it. */
export interface RpcServer {
  /**
   * Listens on one or more addresses; may be called again.
   *
   * @param urls - `http://host:port` (port 0: the system chooses) or `unix://path`
   * @returns the URLs, with the ports that were chosen; if one fails, none is listened on
   * @throws RangeError for a URL of another form; the error of the system, such as `EADDRINUSE`
   */
  listen(...urls: readonly string[]): Promise<readonly string[]>;
  /** Connections that are open. */
  readonly connections: number;
  /** Counts of every method. */
  readonly stats: readonly MethodStats[];
  /**
   * Accepts nothing more and tells every client so. Streams end with UNAVAILABLE, calls with one response may
   * finish; what is left after the grace is cut off. Resolves when no connection is left.
   */
  close(options?: RpcServerCloseOptions): Promise<void>;
}

const notFound: RequestListener = (_request, response) => {
  response.writeHead(404).end();
};

/** Node tells that a stream has drained only if it held this much (16 KiB before version 22). */
const highWaterBytesMin = 64 * 1024;

const defaults = {
  http1: notFound,
  maxRequestBytes: 2 * 1024 * 1024,
  highWaterBytes: highWaterBytesMin,
  maxConcurrentStreams: 2 ** 32 - 1,
  maxConnections: Number.POSITIVE_INFINITY,
  handshakeTimeoutMs: 10_000,
  pingIntervalMinMs: 5_000,
  keepAliveIntervalMs: 2 * 3_600_000,
  keepAliveTimeoutMs: 20_000,
  onHandlerError: (): void => undefined,
};

/**
 * Creates a server; it does nothing until it is told to listen.
 *
 * @throws RangeError if an option is out of its bounds
 */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const { highWaterBytes = highWaterBytesMin } = options;
  if (highWaterBytes < highWaterBytesMin) {
    throw new RangeError(
      `Cannot serve as 'highWaterBytes' must be at least ${highWaterBytesMin}: current value is ${highWaterBytes}`,
    );
  }
  return new NodeRpcServer({ ...defaults, ...options });
}

class NodeRpcServer implements RpcServer {
  readonly #options: Required<RpcServerOptions>;
  readonly #dispatcher: Dispatcher;
  readonly #http1: HttpServer;
  readonly #listeners = new Set<Listener>();
  readonly #sockets = new Set<Socket>();
  /** Those that have not told what they speak. */
  readonly #undecided = new Set<Socket>();
  readonly #http2 = new Set<Http2Connection>();
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: Required<RpcServerOptions>) {
    this.#options = options;
    this.#dispatcher = new Dispatcher(options);
    this.#http1 = createHttp1Server(options);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get stats(): readonly MethodStats[] {
    return this.#dispatcher.stats;
  }

  async listen(...urls: readonly string[]): Promise<readonly string[]> {
    if (this.#closing !== undefined) throw new Error("Cannot listen as the server is closed");
    const opened: Listener[] = [];
    try {
      for (const url of urls) opened.push(await startListener(url, (socket) => this.#onConnection(socket)));
    } catch (error) {
      for (const listener of opened) listener.close();
      throw error;
    }
    for (const listener of opened) this.#listeners.add(listener);
    return opened.map(({ url }) => url);
  }

  close({ graceMs = 500 }: RpcServerCloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #onConnection(socket: Socket): void {
    if (this.#closing !== undefined || this.#sockets.size >= this.#options.maxConnections) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#undecided.add(socket);
    socket.once("close", () => this.#onDisconnected(socket));
    const settings = announcedSettings(this.#options);
    awaitFirstBytes(socket, {
      timeoutMs: this.#options.handshakeTimeoutMs,
      onVersion: (version) => {
        if (version === "http1") this.#serveHttp1(socket);
        else awaitFirstRequest(socket, { settings, onReady: (connection) => this.#serveHttp2(socket, connection) });
      },
    });
  }

  #onDisconnected(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#undecided.delete(socket);
    if (this.#sockets.size === 0) this.#onIdle?.();
  }

  #serveHttp1(socket: Socket): void {
    this.#undecided.delete(socket);
    this.#http1.emit("connection", socket);
    socket.resume();
  }

  #serveHttp2(socket: Socket, duplex: Duplex): void {
    this.#undecided.delete(socket);
    // HTTP/2 has no half-closed connections: a client that has ended its half is gone.
    socket.allowHalfOpen = false;
    const connection = serveHttp2(duplex, {
      ...this.#options,
      socket,
      accept: (stream, head) => this.#dispatcher.accept(stream, head),
      peer: peerOf(socket),
      onClose: () => this.#http2.delete(connection),
    });
    this.#http2.add(connection);
  }

  async #close(graceMs: number): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const socket of this.#undecided) socket.destroy();
    for (const connection of this.#http2) connection.close();
    this.#refuseCalls((call) => call.isStreaming);
    this.#http1.close();
    this.#http1.closeIdleConnections();
    await this.#idle(graceMs);
    this.#refuseCalls(() => true);
    for (const connection of this.#http2) connection.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await this.#idle();
  }

  /** Ends calls with the status of a member that stops; etcd's clients go to another one and resume. */
  #refuseCalls(isMeant: (call: RpcCall) => boolean): void {
    const { status, text } = wireErrors.Stopped;
    const reason = new RpcError(status, text); // One for all: there may be ten thousand.
    for (const call of this.#dispatcher.openCalls) if (isMeant(call)) call.refuse(reason);
  }

  /** Resolves when no connection is left, or after some time. */
  #idle(graceMs?: number): Promise<void> {
    if (this.#sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = graceMs === undefined ? undefined : setTimeout(resolve, graceMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function createHttp1Server({ http1, handshakeTimeoutMs }: Required<RpcServerOptions>): HttpServer {
  const limits = {
    // A limit for whole requests would cut off a stream of the gateway whose body stays open.
    requestTimeout: 0,
    headersTimeout: handshakeTimeoutMs,
    connectionsCheckingInterval: handshakeTimeoutMs,
  };
  const server = createHttpServer(limits, http1);
  // Node begins to watch over slow connections when the server listens; this one is handed its connections.
  server.emit("listening");
  return server;
}

function peerOf({ remoteAddress, remotePort }: Socket): Peer {
  if (remoteAddress === undefined || remotePort === undefined) return { address: "@" };
  return {
    address: remoteAddress.includes(":") ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`,
  };
}
