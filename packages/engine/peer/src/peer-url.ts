/** @module Where a member listens or is reached. TLS has its place here: a scheme more, and its options beside. */

/** An address in the form that `node:http` and `node:net` take. */
export type PeerAddress = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/**
 * Reads a peer URL: `http://host:port` or `unix://path`, where `unix://localhost:2380` is a file of that name in the
 * working directory.
 *
 * @throws RangeError naming the URL if it is none of these
 */
export function parsePeerUrl(url: string): PeerAddress {
  if (url.startsWith("unix:")) {
    const socketPath = url.slice("unix:".length).replace(/^\/\//, "");
    if (socketPath === "")
      throw new RangeError(`Cannot use the peer URL as the path of the socket is missing: "${url}"`);
    return { socketPath };
  }
  if (!URL.canParse(url)) throw new RangeError(`Cannot use the peer URL as it is none: "${url}"`);
  const { protocol, hostname, port, pathname, search } = new URL(url);
  if (protocol !== "http:")
    throw new RangeError(`Cannot use the peer URL as its scheme must be http or unix: "${url}"`);
  if (pathname !== "/" || search !== "") throw new RangeError(`Cannot use the peer URL as it has a path: "${url}"`);
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return { host, port: port === "" ? 80 : Number(port) };
}

/** The URL of an address. */
export function formatPeerUrl(address: PeerAddress): string {
  if ("socketPath" in address) return `unix://${address.socketPath}`;
  return `http://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}
