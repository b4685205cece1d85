import { rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { formatListenUrl, type ListenAddress, parseListenUrl } from "./listen-address.ts";

/** One address that is listened on. */
export interface Listener {
  /** Its URL, with the port that the system chose. */
  readonly url: string;
  /** Accepts no more; connections stay. A unix socket's file goes away. */
  close(): void;
}

/**
 * Listens on one address. The file of a unix socket that nobody listens on any more is replaced.
 *
 * @param url - see {@link parseListenUrl}
 * @param onConnection - takes each connection
 * @throws the error of the system, such as `EADDRINUSE`
 */
export async function startListener(url: string, onConnection: (socket: Socket) => void): Promise<Listener> {
  const address = parseListenUrl(url);
  if (address.kind === "unix") await removeStale(address.path);
  // A client of HTTP/1.1 may end its half right after the request; `noDelay`: small answers are not held back.
  const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.kind === "unix" ? { path: address.path } : address, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return { url: formatListenUrl(boundAddress(server, address)), close: () => void server.close() };
}

function boundAddress(server: Server, address: ListenAddress): ListenAddress {
  const bound = server.address();
  return address.kind === "tcp" && bound !== null && typeof bound === "object"
    ? { ...address, port: bound.port }
    : address;
}

/** A member that was killed leaves its socket file behind, and nobody can listen there until it is gone. */
async function removeStale(path: string): Promise<void> {
  const isStale = await new Promise<boolean>((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => resolve(false));
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
    probe.once("close", () => probe.removeAllListeners());
    probe.once("connect", () => probe.destroy());
  });
  if (isStale) await rm(path, { force: true });
}
