/** @module Where a member listens or is reached. */

/** An address in the form that `node:http` and `node:net` take. */
export type PeerAddress = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** An address, and whether connections to it are encrypted. */
export interface PeerLocation {
  /** The address. */
  readonly address: PeerAddress;
  /** Whether they are. */
  readonly secure: boolean;
}

/**
 * Reads a peer URL: `http://host:port` or `unix://path`, where `unix://localhost:2380` is a file of that name in the
 * working directory; `https` and `unixs` for encrypted connections.
 *
 * @throws RangeError naming the URL if it is none of these
 */
export function parsePeerUrl(url: string): PeerLocation {
  const unix = /^unix(s?):(?:\/\/)?(.*)$/.exec(url);
  if (unix !== null) {
    const [, secure, socketPath = ""] = unix;
    if (socketPath === "")
      throw new RangeError(`Cannot use the peer URL as the path of the socket is missing: "${url}"`);
    return { address: { socketPath }, secure: secure === "s" };
  }
  if (!URL.canParse(url)) throw new RangeError(`Cannot use the peer URL as it is none: "${url}"`);
  const { protocol, hostname, port, pathname, search } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:")
    throw new RangeError(`Cannot use the peer URL as its scheme must be http, https, unix or unixs: "${url}"`);
  if (pathname !== "/" || search !== "") throw new RangeError(`Cannot use the peer URL as it has a path: "${url}"`);
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  const secure = protocol === "https:";
  return { address: { host, port: port === "" ? (secure ? 443 : 80) : Number(port) }, secure };
}

/** The URL of an address. */
export function formatPeerUrl({ address, secure }: PeerLocation): string {
  if ("socketPath" in address) return `${secure ? "unixs" : "unix"}://${address.socketPath}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${secure ? "https" : "http"}://${host}:${address.port}`;
}
