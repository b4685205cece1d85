import type { TlsLog } from "./tls-settings.ts";

/** A remote that goes on being refused is told of again after so long. */
const windowMs = 60_000;
/** Remotes that are remembered; the one that was told of longest ago is forgotten first. */
const remotesMax = 1024;

/** What is said of connections that do not speak what is spoken where they came in. */
export const misdirected = {
  /** TLS, where nothing is encrypted. */
  encrypted: "tls: the connection is encrypted, and this URL is for plaintext",
  /** Anything else, where everything is. */
  plaintext: "tls: the connection is not encrypted, and this URL is for TLS",
} as const;

/** Why a connection was refused. */
export interface Refusal {
  /** The other end, as `host:port`, `@` for a unix socket, or empty if it is gone and not known any more. */
  readonly remoteAddress: string;
  /** The name it asked for, if any. */
  readonly serverName?: string;
  /** Why. */
  readonly error: string;
}

/** Logs refused connections: each remote once in a while, with the number of those that were not told of. */
export class RefusalLog {
  readonly #log: TlsLog;
  readonly #nowMs: () => number;
  readonly #remotes = new Map<string, { readonly toldMs: number; suppressed: number }>();

  /**
   * @param log - where to
   * @param nowMs - the time by a clock that never goes back
   */
  constructor(log: TlsLog, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Tells of a refused connection, unless its remote and reason were told of lately. */
  rejected({ remoteAddress, serverName = "", error }: Refusal): void {
    const key = `${hostOf(remoteAddress)} ${error}`;
    const known = this.#remotes.get(key);
    if (known !== undefined && this.#nowMs() - known.toldMs < windowMs) {
      known.suppressed++;
      return;
    }
    this.#remember(key);
    const suppressed = known === undefined || known.suppressed === 0 ? {} : { suppressed: known.suppressed };
    this.#log.warn("rejected connection", {
      "remote-addr": remoteAddress,
      "server-name": serverName,
      error,
      ...suppressed,
    });
  }

  #remember(key: string): void {
    this.#remotes.delete(key);
    this.#remotes.set(key, { toldMs: this.#nowMs(), suppressed: 0 });
    const [oldest] = this.#remotes.keys();
    if (this.#remotes.size > remotesMax && oldest !== undefined) this.#remotes.delete(oldest);
  }
}

/** Each connection comes from a port of its own. */
function hostOf(remoteAddress: string): string {
  return remoteAddress.replace(/:\d+$/, "");
}
