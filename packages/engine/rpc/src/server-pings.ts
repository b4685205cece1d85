import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

/** When a silent client is asked whether it is still there. Times are in milliseconds. */
export interface ServerPingOptions {
  /** The connection, whose received bytes tell silence. */
  readonly socket: Socket;
  /** Silence after which the client is pinged. */
  readonly keepAliveIntervalMs: number;
  /** Time the client has to answer. */
  readonly keepAliveTimeoutMs: number;
}

/**
 * Pings a client that has been silent for an interval, and ends the connection if it stays so. It looks at the
 * socket's counter once an interval, so that a request costs nothing.
 */
export function startServerPings(session: ServerHttp2Session, options: ServerPingOptions): void {
  const { socket, keepAliveIntervalMs, keepAliveTimeoutMs } = options;
  let seenBytes = 0;
  let timer = setTimeout(check, keepAliveIntervalMs).unref();
  session.once("close", () => clearTimeout(timer));

  function check(): void {
    const isSilent = socket.bytesRead === seenBytes;
    seenBytes = socket.bytesRead;
    timer = isSilent ? askForLife() : setTimeout(check, keepAliveIntervalMs).unref();
  }

  function askForLife(): NodeJS.Timeout {
    session.ping(() => undefined);
    return setTimeout(() => {
      if (socket.bytesRead === seenBytes) session.destroy();
      else check();
    }, keepAliveTimeoutMs).unref();
  }
}
