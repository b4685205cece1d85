import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect } from "node:net";
import type { PeerLimits } from "./options.ts";
import { PeerError } from "./peer-error.ts";
import { formatPeerUrl, parsePeerUrl } from "./peer-url.ts";

/** How often `node:http` looks for heads that are overdue. */
const headCheckMs = 1000;

/** A place where other members connect. */
export class Listener {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Listens.
   *
   * @throws PeerError `LISTEN` if that is not possible
   */
  static async open(url: string, options: { onRequest: RequestListener; limits: PeerLimits }): Promise<Listener> {
    const { onRequest, limits } = options;
    // `requestTimeout` bounds a whole request and would cut a snapshot off that takes its time: bodies have an idle time
    // of their own. Heads are small and come at once, so theirs stays.
    const server = createServer(
      { requestTimeout: 0, headersTimeout: limits.headTimeoutMs, connectionsCheckingInterval: headCheckMs },
      onRequest,
    );
    server.maxConnections = limits.connectionsMax;
    try {
      const address = parsePeerUrl(url);
      if ("socketPath" in address) await removeStale(address.socketPath);
      const listening = once(server, "listening");
      server.listen("socketPath" in address ? { path: address.socketPath } : { ...address });
      await listening;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PeerError("LISTEN", `Cannot listen for members on "${url}": ${reason}`, { cause });
    }
    return new Listener(server);
  }

  /** Where it listens. */
  get url(): string {
    const address = this.#server.address();
    if (typeof address === "string") return formatPeerUrl({ socketPath: address });
    return formatPeerUrl({ host: address?.address ?? "", port: address?.port ?? 0 });
  }

  /** Takes no more connections and ends those that there are. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
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
