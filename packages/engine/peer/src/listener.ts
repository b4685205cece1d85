import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { CauseLog } from "./cause-log.ts";
import type { PeerLimits, PeerTlsServer } from "./options.ts";
import { PeerError } from "./peer-error.ts";
import { formatPeerUrl, type PeerLocation, parsePeerUrl } from "./peer-url.ts";

/** How often `node:http` looks for heads that are overdue. */
const headCheckMs = 1000;
/** The first byte of a record that is part of a TLS handshake (RFC 8446 §5.1). */
const handshakeRecord = 22;

/** What is said to those who do not speak HTTP as they should, by Node's code of the fault; others: 400. */
const refusals: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
};

/** How to listen. */
export interface ListenerOptions {
  /** Takes each request. */
  readonly onRequest: RequestListener;
  /** Bounds. */
  readonly limits: PeerLimits;
  /** Encrypts connections; undefined: no URL may ask for it. */
  readonly tls: PeerTlsServer | undefined;
  /** Whether other processes may listen at the same place. */
  readonly reusePort: boolean;
  /** Is told of connections that do not speak what is spoken here. */
  readonly faults: CauseLog;
}

/** A place where other members connect. */
export class Listener {
  readonly #http: HttpServer;
  readonly #server: Server;
  readonly #secure: boolean;
  /** All connections, also those that are not encrypted yet. */
  readonly #sockets = new Set<Socket>();

  private constructor({ secure }: PeerLocation, options: ListenerOptions) {
    this.#secure = secure;
    this.#http = createHttp(options);
    const accept = secure ? this.#acceptor(options) : (socket: Socket) => void this.#http.emit("connection", socket);
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      accept(socket);
    });
    this.#server.maxConnections = options.limits.connectionsMax;
  }

  /**
   * Listens.
   *
   * @throws PeerError `LISTEN` if that is not possible
   */
  static async open(url: string, options: ListenerOptions): Promise<Listener> {
    try {
      const location = parsePeerUrl(url);
      const { address } = location;
      const { reusePort } = options;
      const listener = new Listener(location, options);
      if ("socketPath" in address) await removeStale(address.socketPath);
      const listening = once(listener.#server, "listening");
      listener.#server.listen("socketPath" in address ? { path: address.socketPath } : { ...address, reusePort });
      await listening;
      return listener;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PeerError("LISTEN", `Cannot listen for members on "${url}": ${reason}`, { cause });
    }
  }

  /** Where it listens. */
  get url(): string {
    const bound = this.#server.address();
    const secure = this.#secure;
    if (typeof bound === "string") return formatPeerUrl({ address: { socketPath: bound }, secure });
    return formatPeerUrl({ address: { host: bound?.address ?? "", port: bound?.port ?? 0 }, secure });
  }

  /** Takes no more connections and ends those that there are. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #acceptor({ tls }: ListenerOptions): (socket: Socket) => void {
    if (tls === undefined) throw new RangeError("there is no certificate for encrypted connections");
    const acceptor = tls.acceptor(({ socket }) => void this.#http.emit("connection", socket));
    return (socket) => {
      // Whoever leaves during the handshake is told of there; without a listener an error would end the process.
      socket.on("error", () => undefined);
      acceptor.secure(socket);
    };
  }
}

function createHttp({ onRequest, limits, faults }: ListenerOptions): HttpServer {
  // `requestTimeout` bounds a whole request and would cut a snapshot off that takes its time: bodies have an idle time
  // of their own. Heads are small and come at once, so theirs stays.
  const server = createHttpServer(
    { requestTimeout: 0, headersTimeout: limits.headTimeoutMs, connectionsCheckingInterval: headCheckMs },
    onRequest,
  );
  server.on("clientError", (error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }, socket) => {
    if (error.rawPacket?.[0] === handshakeRecord) {
      const peer = "remoteAddress" in socket ? String(socket.remoteAddress) : "@";
      faults.warn({ message: "rejected connection", peer, cause: "it is encrypted, and this URL is for plaintext" });
    }
    if (socket.writable)
      socket.end(`HTTP/1.1 ${refusals[error.code ?? ""] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`);
    else socket.destroy();
  });
  // Node begins to watch over slow connections when the server listens; this one is handed its connections.
  server.emit("listening");
  return server;
}

/** Removes the socket file of a process that was killed: nobody answers there any more. */
async function removeStale(path: string): Promise<void> {
  const isStale = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(false);
    });
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (isStale) await rm(path, { force: true });
}
