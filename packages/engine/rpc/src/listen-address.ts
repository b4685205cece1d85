/** Where to listen: a TCP address or the path of a unix socket; `secure`: for encrypted connections. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly secure: boolean }
  | { readonly kind: "unix"; readonly path: string; readonly secure: boolean };

/**
 * Reads a URL as etcd's flags take it: `http://host:port` (port 0 lets the system choose), or `unix://path`, where
 * `unix://localhost:2379` is a file of that name in the working directory; `https` and `unixs` for encrypted ones.
 *
 * @throws RangeError naming the URL if it is none of these
 */
export function parseListenUrl(url: string): ListenAddress {
  const unix = /^unix(s?):(?:\/\/)?(.*)$/.exec(url);
  if (unix !== null) {
    const [, secure, path = ""] = unix;
    if (path === "") throw new RangeError(`Cannot listen as the path of the socket is missing: "${url}"`);
    return { kind: "unix", path, secure: secure === "s" };
  }
  if (!URL.canParse(url)) throw new RangeError(`Cannot listen as this is no URL: "${url}"`);
  const { protocol, hostname, port, pathname, search } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:")
    throw new RangeError(`Cannot listen as the scheme must be http, https, unix or unixs: "${url}"`);
  if (pathname !== "/" || search !== "") throw new RangeError(`Cannot listen on a URL with a path: "${url}"`);
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  const secure = protocol === "https:";
  return { kind: "tcp", host, port: port === "" ? (secure ? 443 : 80) : Number(port), secure };
}

/** The URL of an address that is listened on. */
export function formatListenUrl(address: ListenAddress): string {
  const { secure } = address;
  if (address.kind === "unix") return `${secure ? "unixs" : "unix"}://${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${secure ? "https" : "http"}://${host}:${address.port}`;
}
