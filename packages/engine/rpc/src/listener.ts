import { rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { formatListenUrl, type ListenAddress, parseListenUrl } from "./listen-address.ts";

/** One address that is listened on, and how: plaintext and encrypted connections may share a port. */
export interface ListenPlace {
  /** The addresses that are this place; they differ in `secure` only. */
  readonly addresses: readonly ListenAddress[];
  /** Where each of them stands among those that were asked for. */
  readonly order: readonly number[];
}

/** A place that is listened on. */
export interface Listener {
  /** The place, with the port that the system chose. */
  readonly place: ListenPlace;
  /** Accepts no more; connections stay. A unix socket's file goes away. */
  close(): void;
}

/**
 * The places that some URLs stand for.
 *
 * @param urls - see {@link parseListenUrl}
 * @throws RangeError for a URL of another form
 */
export function listenPlaces(urls: readonly string[]): readonly ListenPlace[] {
  const places = new Map<string, { addresses: ListenAddress[]; order: number[] }>();
  for (const [index, address] of urls.map(parseListenUrl).entries()) {
    const isAnyPort = address.kind === "tcp" && address.port === 0;
    const key = isAnyPort ? `any ${index}` : formatListenUrl({ ...address, secure: false });
    const place = places.get(key) ?? { addresses: [], order: [] };
    place.addresses.push(address);
    place.order.push(index);
    places.set(key, place);
  }
  return [...places.values()];
}

/** The URLs of listeners, in the order in which they were asked for. */
export function boundUrls(listeners: readonly Listener[]): string[] {
  const bound = listeners.flatMap(({ place: { addresses, order } }) =>
    addresses.map((address, at) => ({ url: formatListenUrl(address), index: order[at] ?? 0 })),
  );
  return bound.sort((one, other) => one.index - other.index).map(({ url }) => url);
}

/**
 * Listens at one place. The file of a unix socket that nobody listens on any more is replaced.
 *
 * @param options - what takes each connection, and whether other processes may listen at the same place
 * @throws the error of the system, such as `EADDRINUSE`
 */
export async function startListener(
  { addresses, order }: ListenPlace,
  { onConnection, reusePort }: { readonly onConnection: (socket: Socket) => void; readonly reusePort: boolean },
): Promise<Listener> {
  const [address] = addresses;
  if (address === undefined) throw new RangeError("Cannot listen nowhere");
  if (address.kind === "unix") await removeStale(address.path);
  // A client of HTTP/1.1 may end its half right after the request; `noDelay`: small answers are not held back.
  const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    const { kind } = address;
    const where = kind === "unix" ? { path: address.path } : { host: address.host, port: address.port, reusePort };
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const place = { addresses: addresses.map((one) => boundAddress(server, one)), order };
  return { place, close: () => void server.close() };
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
