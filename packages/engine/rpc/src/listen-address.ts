/** Where to listen: a TCP address or the path of a unix socket. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/**
 * Reads a URL as etcd's flags take it: `http://host:port` (port 0 lets the system choose), or `unix://path`, where
 * `unix://localhost:2379` is a file of that name in the working directory.
 *
 * @throws RangeError naming the URL if it is none of these
 */
export function parseListenUrl(url: string): ListenAddress {
  if (url.startsWith("unix:")) {
    const path = url.slice("unix:".length).replace(/^\/\//, "");
    if (path === "") throw new RangeError(`Cannot listen as the path of the socket is missing: "${url}"`);
    return { kind: "unix", path };
  }
  if (!URL.canParse(url)) throw new RangeError(`Cannot listen as this is no URL: "${url}"`);
  const { protocol, hostname, port, pathname, search } = new URL(url);
  if (protocol !== "http:") throw new RangeError(`Cannot listen as the scheme must be http or unix: "${url}"`);
  if (pathname !== "/" || search !== "") throw new RangeError(`Cannot listen on a URL with a path: "${url}"`);
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return { kind: "tcp", host, port: port === "" ? 80 : Number(port) };
}

/** The URL of an address that is listened on. */
export function formatListenUrl(address: ListenAddress): string {
  if (address.kind === "unix") return `unix://${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `http://${host}:${address.port}`;
}
