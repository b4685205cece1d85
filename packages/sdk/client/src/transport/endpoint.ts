import { withoutUserInfo } from "@conclave/base";
import { ConclaveError } from "../conclave-error.ts";

/** A member's address, parsed. */
export interface Endpoint {
  /** The address as the user wrote it: its name in errors and options. */
  readonly text: string;
  /** What to connect to: `host:port` or `unix:/path`. */
  readonly target: string;
  /** Whether the connection is encrypted. */
  readonly tls: boolean;
}

/**
 * Reads an address: `host:port`, `http://host:port`, `https://host:port`, `unix:/path` or `unix:///path`.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if it is none of these
 */
export function parseEndpoint(text: string): Endpoint {
  const unix = /^unixs?:(?:\/\/)?(?<path>.+)$/.exec(text);
  if (unix?.groups?.path !== undefined)
    return { text, target: `unix:${unix.groups.path}`, tls: text.startsWith("unixs:") };
  const url = /^(?:(?<scheme>https?):\/\/)?(?<host>\[[0-9a-fA-F:.%]+\]|[^\s:/?#[\]]+):(?<port>\d{1,5})\/?$/.exec(text);
  const { scheme, host, port } = url?.groups ?? {};
  if (host === undefined || port === undefined || Number(port) > 65_535) throw malformed(text);
  return { text, target: `${host}:${port}`, tls: scheme === "https" };
}

function malformed(text: string): ConclaveError {
  return new ConclaveError(
    "INVALID_ARGUMENT",
    `Cannot use an endpoint that is not "host:port", "http://host:port", "https://host:port" or "unix:/path": received ${JSON.stringify(withoutUserInfo(text))}`,
  );
}
