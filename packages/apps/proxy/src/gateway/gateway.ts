/** @module A TCP proxy: each connection is led to one member, as it is, encrypted or not. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { parseHostAndPort, type WeightedEndpoint } from "../endpoint.ts";
import { type ProxyLog, silentLog } from "../log.ts";
import { messageOf, ProxyError } from "../proxy-error.ts";
import { dial, type Remote, Remotes } from "./remotes.ts";

/** How a gateway works. Times are in milliseconds. */
export interface GatewayOptions {
  /** Where to listen, as `host:port`; port 0 lets the system choose. */
  readonly listenAddr: string;
  /** The members, at least one. */
  readonly endpoints: readonly WeightedEndpoint[];
  /** How long a member that could not be dialled is passed over before it is tried again. Default: 60 000. */
  readonly retryDelayMs?: number;
  /** How long to wait for a connection to a member. Default: 5 000. */
  readonly dialTimeoutMs?: number;
  /** Connections at once; further ones are closed at once. Default: 10 000. */
  readonly connectionsMax?: number;
  /** Where it tells what happens. Default: nowhere. */
  readonly log?: ProxyLog;
}

/** A running gateway. */
export interface Gateway {
  /** Where it listens, as `host:port`. */
  readonly address: string;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

const defaults = { retryDelayMs: 60_000, dialTimeoutMs: 5_000, connectionsMax: 10_000, log: silentLog };

/**
 * Starts a gateway.
 *
 * @throws ProxyError `CONFIG` if an address cannot be; `LISTEN` if the address cannot be listened on
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const listenAt = parseHostAndPort(options.listenAddr);
  if (listenAt === undefined)
    throw new ProxyError("CONFIG", `cannot listen on ${JSON.stringify(options.listenAddr)}: it is not "host:port"`);
  if (options.endpoints.length === 0) throw new ProxyError("CONFIG", "no endpoints found");
  const gateway = new TcpGateway({ ...defaults, ...options });
  await gateway.listen(listenAt);
  return gateway;
}

class TcpGateway implements Gateway {
  readonly #options: Required<GatewayOptions>;
  readonly #remotes: Remotes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: Required<GatewayOptions>) {
    this.#options = options;
    this.#remotes = new Remotes(options.endpoints);
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true });
    this.#server.maxConnections = options.connectionsMax;
    this.#server.on("connection", (client: Socket) => void this.#lead(client));
  }

  get address(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
  }

  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    this.#server.listen(host === "" ? { port } : { host, port });
    try {
      await once(this.#server, "listening");
    } catch (cause) {
      throw new ProxyError("LISTEN", messageOf(cause), { cause });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Leads a connection to the first member in turn that can be dialled. */
  async #lead(client: Socket): Promise<void> {
    this.#hold(client);
    for (let remote = this.#remotes.pick(); remote !== undefined; remote = this.#remotes.pick()) {
      const member = await this.#dial(remote);
      if (member === undefined) continue;
      this.#hold(member);
      join(client, member);
      return;
    }
    client.destroy();
  }

  async #dial(remote: Remote): Promise<Socket | undefined> {
    try {
      return await dial(remote.at, this.#options.dialTimeoutMs);
    } catch (error) {
      if (remote.active) {
        const fields = { address: remote.address, interval: this.#options.retryDelayMs, error: messageOf(error) };
        this.#options.log.warn("deactivated endpoint", fields);
      }
      remote.active = false;
      this.#retryLater();
      return undefined;
    }
  }

  #retryLater(): void {
    if (this.#closed || this.#retryTimer !== undefined) return;
    this.#retryTimer = setTimeout(() => void this.#retry(), this.#options.retryDelayMs);
  }

  async #retry(): Promise<void> {
    await Promise.all(this.#remotes.failed.map((remote) => this.#tryAgain(remote)));
    this.#retryTimer = undefined;
    if (this.#remotes.failed.length > 0) this.#retryLater();
  }

  async #tryAgain(remote: Remote): Promise<void> {
    try {
      const socket = await dial(remote.at, this.#options.dialTimeoutMs);
      socket.destroy();
      remote.active = true;
      this.#options.log.info("activated endpoint", { address: remote.address });
    } catch (error) {
      this.#options.log.warn("failed to activate endpoint (stay inactive for another interval)", {
        address: remote.address,
        interval: this.#options.retryDelayMs,
        error: messageOf(error),
      });
    }
  }

  #hold(socket: Socket): void {
    if (this.#closed) socket.destroy();
    this.#sockets.add(socket);
    socket.on("error", ignore);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

/** Joins two connections: each way keeps its own end and its own pressure, and a broken one breaks the other. */
function join(client: Socket, member: Socket): void {
  client.pipe(member);
  member.pipe(client);
  if (client.destroyed) member.destroy();
  client.once("close", () => breakUnlessEnded(client, member));
  member.once("close", () => breakUnlessEnded(member, client));
}

/** What ended in order on both ways has passed its end on already; the other may still have to send what it holds. */
function breakUnlessEnded(closed: Socket, other: Socket): void {
  if (!closed.readableEnded || !closed.writableFinished) other.destroy();
}

/** "close" follows, and says all that counts. */
function ignore(): void {}
