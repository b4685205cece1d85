import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import { wireErrors } from "@conclave/protocol";
import { Dispatcher } from "./dispatcher.ts";
import { awaitFirstBytes, type Protocol } from "./first-bytes.ts";
import { type Http2Connection, serveHttp2 } from "./http2/connection.ts";
import { boundUrls, type Listener, type ListenPlace, listenPlaces, startListener } from "./listener.ts";
import type { MethodStats } from "./method-counters.ts";
import type { RpcCall } from "./rpc-call.ts";
import { RpcError } from "./rpc-error.ts";
import type { ServerCall } from "./server-call.ts";
import type { ServiceBinding } from "./service.ts";
import type { AcceptStream, ClientCertificate, Peer, SecuredConnection, TlsAcceptor, TlsServer } from "./transport.ts";

/** A connection that does not speak what is spoken where it came in. */
export interface MisdirectedConnection {
  /** Where it comes from. */
  readonly peer: Peer;
  /** Whether it is encrypted, in the clear where encryption is meant. */
  readonly isEncrypted: boolean;
}

/** What a server is told. Durations are in milliseconds. */
export interface RpcServerOptions {
  /** The services to be called. */
  readonly services: readonly ServiceBinding[];
  /** Answers what comes as HTTP/1.1 on the same addresses; default: 404. */
  readonly http1?: RequestListener;
  /** Encrypts what comes to `https` and `unixs` URLs; default: such URLs are refused. */
  readonly tls?: TlsServer;
  /** Is told of connections that were ended as they are encrypted where nothing is, or the other way round. */
  readonly onMisdirected?: (connection: MisdirectedConnection) => void;
  /** Longest request message in bytes; default 2 MiB, which is etcd's 1.5 MiB and 512 KiB for what is around it. */
  readonly maxRequestBytes?: number;
  /** Bytes that may wait for a slow client before `write` says that there is no room; default and least: 64 KiB. */
  readonly highWaterBytes?: number;
  /** Streams a client may have open on one connection; default 2^32 − 1, as etcd's. */
  readonly maxConcurrentStreams?: number;
  /** Connections at once, further ones are closed at once; default: no bound but the system's. */
  readonly maxConnections?: number;
  /**
   * Time a connection has to tell what it speaks, again after it was encrypted, and an HTTP/1.1 request for its header
   * fields; default 10 000.
   */
  readonly handshakeTimeoutMs?: number;
  /** Least time between two pings of a client; one that pings more often is disconnected. Default 5 000, as etcd's. */
  readonly pingIntervalMinMs?: number;
  /** Silence after which a client is pinged, 0 for never; default 2 h, as etcd's. */
  readonly keepAliveIntervalMs?: number;
  /** Time a client has to answer that ping; 0: it is not pinged; default 20 000, as etcd's. */
  readonly keepAliveTimeoutMs?: number;
  /** Measure how long calls take, which costs each a little; default: false. */
  readonly timeCalls?: boolean;
  /** Longest time that a call with one answer takes as a rule, in milliseconds; default: without bounds. */
  readonly slowCallMs?: number;
  /** Is told of a call with one answer that took longer; default: nobody. */
  readonly onSlowCall?: (call: ServerCall, tookMs: number) => void;
  /** Share the ports with other processes that ask for it too, where Node can (from 22.12); default: false. */
  readonly reusePort?: boolean;
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
   * @param urls - `http://host:port` (port 0: the system chooses) or `unix://path`; `https` and `unixs` for encrypted
   * connections. One port may be listened on for both.
   * @returns the URLs, with the ports that were chosen; if one fails, none is listened on
   * @throws RangeError for a URL of another form, or that is to be encrypted without `tls`; the error of the system, such as `EADDRINUSE`
   */
  listen(...urls: readonly string[]): Promise<readonly string[]>;
  /** Connections that are open. */
  readonly connections: number;
  /** Counts of every method. */
  readonly stats: readonly MethodStats[];
  /** Takes a call from another transport, such as a gateway on HTTP/1.1; it counts and ends like any other. */
  readonly accept: AcceptStream;
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
  timeCalls: false,
  slowCallMs: Number.POSITIVE_INFINITY,
  onSlowCall: (): void => undefined,
  reusePort: false,
  onHandlerError: (): void => undefined,
  onMisdirected: (): void => undefined,
};

/** The options with every default filled in; encryption has none. */
type Options = Required<Omit<RpcServerOptions, "tls">> & Pick<RpcServerOptions, "tls">;

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
  readonly #options: Options;
  readonly #dispatcher: Dispatcher;
  readonly #http1: HttpServer;
  readonly #tls: TlsAcceptor | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #sockets = new Set<Socket>();
  /** Those that have not told what they speak. */
  readonly #undecided = new Set<Socket>();
  readonly #http2 = new Set<Http2Connection>();
  readonly #certificates = new WeakMap<Socket, ClientCertificate>();
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#dispatcher = new Dispatcher(options);
    this.#http1 = createHttp1Server(options);
    this.#tls = options.tls?.acceptor((connection) => this.#onSecured(connection));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get stats(): readonly MethodStats[] {
    return this.#dispatcher.stats;
  }

  get accept(): AcceptStream {
    return (stream, head) => this.#dispatcher.accept(stream, head);
  }

  async listen(...urls: readonly string[]): Promise<readonly string[]> {
    if (this.#closing !== undefined) throw new Error("Cannot listen as the server is closed");
    const places = listenPlaces(urls);
    if (this.#tls === undefined && places.some(takesTls))
      throw new RangeError(`Cannot listen as there is no certificate for encrypted connections: "${urls.join()}"`);
    const { reusePort } = this.#options;
    const opened: Listener[] = [];
    try {
      for (const place of places)
        opened.push(
          await startListener(place, { reusePort, onConnection: (socket) => this.#onConnection(socket, place) }),
        );
    } catch (error) {
      for (const listener of opened) listener.close();
      throw error;
    }
    for (const listener of opened) this.#listeners.add(listener);
    return boundUrls(opened);
  }

  close({ graceMs = 500 }: RpcServerCloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #onConnection(socket: Socket, place: ListenPlace): void {
    if (this.#closing !== undefined || this.#sockets.size >= this.#options.maxConnections) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#onDisconnected(socket));
    this.#awaitProtocol(socket, (protocol) => {
      if (protocol === "tls" ? takesTls(place) : takesPlaintext(place)) this.#serve(socket, protocol);
      else this.#misdirected(socket, protocol);
    });
  }

  /** A connection is now encrypted; its raw socket stays among the connections until it closes. */
  #onSecured({ socket, certificate }: SecuredConnection): void {
    if (this.#closing !== undefined) {
      socket.destroy();
      return;
    }
    if (certificate !== undefined) this.#certificates.set(socket, certificate);
    socket.once("close", () => this.#undecided.delete(socket));
    this.#awaitProtocol(socket, (protocol) => {
      if (protocol === "tls") this.#misdirected(socket, protocol);
      else this.#serve(socket, protocol);
    });
  }

  #awaitProtocol(socket: Socket, onProtocol: (protocol: Protocol) => void): void {
    this.#undecided.add(socket);
    awaitFirstBytes(socket, { timeoutMs: this.#options.handshakeTimeoutMs, onProtocol });
  }

  #serve(socket: Socket, protocol: Protocol): void {
    switch (protocol) {
      case "tls":
        this.#undecided.delete(socket);
        this.#tls?.secure(socket);
        break;
      case "http1":
        this.#serveHttp1(socket);
        break;
      case "http2":
        this.#serveHttp2(socket);
    }
  }

  #misdirected(socket: Socket, protocol: Protocol): void {
    this.#options.onMisdirected({ peer: peerOf(socket), isEncrypted: protocol === "tls" });
    socket.destroy();
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

  #serveHttp2(socket: Socket): void {
    this.#undecided.delete(socket);
    const connection = serveHttp2(socket, {
      ...this.#options,
      accept: this.accept,
      peer: this.#peerOf(socket),
      onClose: () => this.#http2.delete(connection),
    });
    this.#http2.add(connection);
  }

  #peerOf(socket: Socket): Peer {
    const certificate = this.#certificates.get(socket);
    return certificate === undefined ? peerOf(socket) : { ...peerOf(socket), certificate };
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

function createHttp1Server({ http1, handshakeTimeoutMs }: Options): HttpServer {
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

function takesTls({ addresses }: ListenPlace): boolean {
  return addresses.some(({ secure }) => secure);
}

function takesPlaintext({ addresses }: ListenPlace): boolean {
  return addresses.some(({ secure }) => !secure);
}

/** The other end of a socket. */
export function peerOf({ remoteAddress, remotePort }: Socket): Peer {
  if (remoteAddress === undefined || remotePort === undefined) return { address: "@" };
  return {
    address: remoteAddress.includes(":") ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`,
  };
}
