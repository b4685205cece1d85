/** @module One connection to a member over Node's HTTP/2. */
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import { GrpcStatus } from "@conclave/protocol";
import type { Endpoint } from "./endpoint.ts";
import { checkServerIdentity, type TlsMaterial } from "./tls-options.ts";
import { TransportError, unsent } from "./transport.ts";
import type { TransportSettings } from "./transport-options.ts";

/** How much a member may send ahead on one stream, which is what a paused one may hold; and on all together. */
const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;
const noLimit = Number.MAX_SAFE_INTEGER;

/** What encrypted connections are made with. */
export interface TlsContext {
  readonly secureContext: SecureContext;
  readonly insecureSkipVerify: boolean;
}

/** Makes certificates ready for use; throws if they make no sense. */
export function tlsContext({ ca, cert, key, insecureSkipVerify }: TlsMaterial): TlsContext {
  const given = { ...(ca === null ? {} : { ca }), ...(cert === null || key === null ? {} : { cert, key }) };
  return { secureContext: createSecureContext(given), insecureSkipVerify };
}

/** Where to connect to, and how. */
export interface ConnectionTarget {
  readonly endpoint: Endpoint;
  /** Undefined: plaintext. */
  readonly security: TlsContext | undefined;
  readonly settings: TransportSettings;
  /** After how many calls another connection takes over. Default: half of what HTTP/2 has numbers for (RFC 9113 §5.1.1). */
  readonly callsMax?: number;
}

const callsMaxDefault = 2 ** 29;

type State = "connecting" | "up" | "ended";

/**
 * One connection, from the first call that wants it until it breaks, the member ends it, or it is retired and its last call is
 * over. It is up once the member has sent its settings: what merely takes connections is no member yet.
 */
export class Http2Connection {
  /** What it was made with. */
  readonly security: TlsContext | undefined;
  /** Resolves when it is up; rejects with what it failed with, and nothing was sent. */
  readonly up: Promise<void>;
  readonly #session: ClientHttp2Session;
  readonly #callsMax: number;
  #begunCalls = 0;
  #state: State = "connecting";
  #calls = 0;
  #isRetired = false;
  #failure: TransportError | undefined;
  #pings: NodeJS.Timeout | undefined;

  constructor(target: ConnectionTarget) {
    const { connectTimeoutMs } = target.settings;
    this.security = target.security;
    this.#callsMax = target.callsMax ?? callsMaxDefault;
    const session = openSession(target);
    this.#session = session;
    const patience = setTimeout(() => this.#fail(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
    this.up = new Promise((resolve, reject) => {
      session.once("remoteSettings", () => {
        clearTimeout(patience);
        this.#onUp(target.settings);
        resolve();
      });
      session.once("close", () => {
        clearTimeout(patience);
        clearInterval(this.#pings);
        this.#state = "ended";
        reject(unsent(GrpcStatus.Unavailable, this.failure.message));
      });
    });
    // Those who wait for it hear of it.
    this.up.catch(() => {});
    session.on("error", (error) => {
      this.#failure ??= new TransportError(GrpcStatus.Unavailable, error.message, { cause: error });
    });
    // It ends once the calls under way are over, or at once; either way it takes no more.
    session.once("goaway", () => {
      this.#state = "ended";
    });
  }

  /** Whether it is up and takes calls. */
  get isUp(): boolean {
    return this.#state === "up" && this.#isOpen;
  }

  /** Whether calls that are begun now can go over it. */
  get takesCalls(): boolean {
    return this.#state !== "ended" && this.#isOpen && !this.#isRetired;
  }

  /** Why it is down. */
  get failure(): TransportError {
    return this.#failure ?? new TransportError(GrpcStatus.Unavailable, "the connection has ended");
  }

  /** The session, of which streams are asked. */
  get session(): ClientHttp2Session {
    return this.#session;
  }

  /** A call begins, and may wait for the connection to be up. It alone keeps the process alive. */
  beginCall(): void {
    if (++this.#begunCalls >= this.#callsMax) this.#isRetired = true;
    if (this.#calls++ === 0 && this.isUp) this.#session.ref();
  }

  /** A call is over. */
  endCall(): void {
    if (--this.#calls > 0) return;
    if (this.#isRetired) this.#session.close();
    else if (this.isUp) this.#session.unref();
  }

  /** Says that no call is begun any more. */
  retire(): void {
    this.#isRetired = true;
    if (this.#calls === 0) this.#session.close();
  }

  /** Ends it, and all that goes over it. */
  destroy(reason: string): void {
    this.#fail(reason);
  }

  /** A session that is about to end, for whatever reason, refuses streams before it tells of it. */
  get #isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  #onUp({ keepaliveTimeMs, keepaliveTimeoutMs }: TransportSettings): void {
    if (this.#state === "connecting") this.#state = "up";
    this.#session.setLocalWindowSize(connectionWindowBytes);
    if (this.#calls === 0) this.#session.unref();
    this.#pings = setInterval(() => this.#ping(keepaliveTimeoutMs), keepaliveTimeMs).unref();
  }

  /** Members end connections that ping without a call. */
  #ping(timeoutMs: number): void {
    if (this.#calls === 0 || this.#session.destroyed) return;
    const lost = setTimeout(() => this.#fail(`no answer to a ping within ${timeoutMs} ms`), timeoutMs).unref();
    this.#session.ping(() => clearTimeout(lost));
  }

  #fail(reason: string): void {
    this.#failure ??= new TransportError(GrpcStatus.Unavailable, reason);
    this.#state = "ended";
    this.#session.destroy();
  }
}

function openSession(target: ConnectionTarget): ClientHttp2Session {
  const { tls, target: to } = target.endpoint;
  const authority = to.startsWith("unix:") ? "localhost" : to;
  return connect(`${tls ? "https" : "http"}://${authority}`, {
    createConnection: () => openSocket(target),
    settings: { enablePush: false, initialWindowSize: streamWindowBytes },
    // The members' limits count, and ours on how many calls we make.
    maxSessionMemory: noLimit,
    maxSendHeaderBlockLength: noLimit,
  });
}

function openSocket({ endpoint, security, settings }: ConnectionTarget): Socket {
  const { target } = endpoint;
  const colon = target.lastIndexOf(":");
  const host = target.slice(0, colon).replace(/^\[|\]$/g, "");
  const where = target.startsWith("unix:")
    ? { path: target.slice("unix:".length) }
    : { host, port: Number(target.slice(colon + 1)) };
  if (security === undefined) return connectPlain({ ...where, noDelay: true });
  const name = settings.tls.serverName ?? ("path" in where ? "localhost" : host);
  const socket = connectTls({
    ...where,
    secureContext: security.secureContext,
    ALPNProtocols: ["h2"],
    // An address is no name that a member may be asked for (RFC 6066 §3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    rejectUnauthorized: !security.insecureSkipVerify,
    checkServerIdentity: (_host, certificate) =>
      security.insecureSkipVerify ? undefined : checkServerIdentity(name, certificate),
  });
  socket.setNoDelay(true);
  return socket;
}
