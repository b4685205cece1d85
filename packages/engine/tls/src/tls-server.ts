/** @module The side of TLS that is connected to. */
import { constants, type X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import { checkNameRules, nameObjection } from "./allowed-names.ts";
import { commonNameOf } from "./certificates.ts";
import { addressObjection, type Resolver, systemResolver } from "./client-address.ts";
import { contextOptions } from "./context-options.ts";
import { Identity } from "./identity.ts";
import { misdirected, RefusalLog } from "./refusal-log.ts";
import { ReloadedFiles } from "./reloaded-files.ts";
import { loadCrlReader, type RevocationList } from "./revocation-list.ts";
import { TlsError } from "./tls-error.ts";
import type { TlsLog, TlsSettings } from "./tls-settings.ts";

/** What the side that is connected to is made of. Times are in milliseconds. */
export interface TlsServerOptions {
  /** The flags. */
  readonly settings: TlsSettings;
  /** Where refused connections are told of. */
  readonly log: TlsLog;
  /** Whether a certificate that names hosts must be shown from one of them, as etcd's peers demand. Default: false. */
  readonly checkClientAddress?: boolean;
  /** How names are resolved for that. Default: by the system. */
  readonly resolver?: Resolver;
  /**
   * Protocols to agree on, the dearest first. Default: `http/1.1`, then `h2`: who speaks both, such as curl, browsers and
   * Prometheus, wants the JSON gateway or an endpoint of operators; clients of gRPC offer `h2` alone.
   */
  readonly protocols?: readonly string[];
  /** Time for a handshake. Default 10 000. */
  readonly handshakeTimeoutMs?: number;
  /** Handshakes under way; further connections are ended at once. Default 1024. */
  readonly handshakesMax?: number;
}

/** A connection that is encrypted. */
export interface SecuredConnection {
  /** What was decrypted is read here; ending it ends the connection. */
  readonly socket: TLSSocket;
  /** The verified certificate of the other end, where that says who it is: with `clientCertAuth`, as in etcd. */
  readonly certificate?: {
    /** The common name of its subject; empty if it has none. */
    readonly commonName: string;
    /** Its serial number in upper-case hexadecimal. */
    readonly serialNumber: string;
  };
}

/** Encrypts connections that others have opened. */
export interface TlsAcceptor {
  /**
   * Shakes hands on a connection of which nothing has been read, or what was read has been put back. If that fails or
   * the client is not let in, the connection is ended, and the log says why.
   */
  secure(socket: Socket): void;
}

/** The side of TLS that is connected to. */
export interface TlsServer {
  /**
   * Makes an acceptor.
   *
   * @param onSecured - takes each connection whose client is verified
   */
  acceptor(onSecured: (connection: SecuredConnection) => void): TlsAcceptor;
}

/** The options with every default filled in. */
type Options = Required<TlsServerOptions>;

/**
 * Creates the side that is connected to. Certificate, key, authorities and revocation lists are looked at for every
 * handshake, so files may be replaced at any time.
 *
 * @throws TlsError `CONFIG` for options that cannot be; `FILE` if a file cannot be read or makes no sense
 */
export async function createTlsServer(options: TlsServerOptions): Promise<TlsServer> {
  const { settings, log } = options;
  const { certFile, keyFile, trustedCaFile = "" } = settings;
  if (certFile === "" || keyFile === "")
    throw new TlsError("CONFIG", `KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`);
  checkNameRules(settings);
  const identity = new Identity({ certFile, keyFile, trustedCaFile }, { base: contextOptions(settings), log });
  const revocations = await openRevocations(settings);
  const complete: Options = { ...defaults, ...options };
  return { acceptor: (onSecured) => new NodeTlsAcceptor({ ...complete, identity, revocations, onSecured }) };
}

async function openRevocations({ crlFile = "" }: TlsSettings): Promise<ReloadedFiles<RevocationList> | undefined> {
  if (crlFile === "") return undefined;
  const readCrl = await loadCrlReader();
  const revocations = new ReloadedFiles([crlFile], (read) => readCrl(crlFile, read));
  revocations.current();
  return revocations;
}

const defaults = {
  checkClientAddress: false,
  resolver: systemResolver,
  protocols: ["http/1.1", "h2"],
  handshakeTimeoutMs: 10_000,
  handshakesMax: 1024,
} as const;

/**
 * Every connection is verified anew: a resumed session would bring back what has been revoked since. And once: what is
 * agreed on stays, as in Go.
 */
const secureOptions = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;

interface AcceptorParts extends Options {
  readonly identity: Identity;
  readonly revocations: ReloadedFiles<RevocationList> | undefined;
  readonly onSecured: (connection: SecuredConnection) => void;
}

class NodeTlsAcceptor implements TlsAcceptor {
  readonly #parts: AcceptorParts;
  readonly #refusals: RefusalLog;
  readonly #demandsCertificate: boolean;
  readonly #server: Server;
  #context: SecureContextOptions;
  /** Connections that are open, and those of them whose handshake is over. */
  #open = 0;
  #established = 0;

  constructor(parts: AcceptorParts) {
    this.#parts = parts;
    const { settings, log, identity, protocols, handshakeTimeoutMs } = parts;
    const { trustedCaFile = "", clientCertAuth = false } = settings;
    this.#demandsCertificate = clientCertAuth || trustedCaFile !== "";
    this.#refusals = new RefusalLog(log, () => performance.now());
    this.#context = identity.current().options;
    this.#server = createServer({
      ...this.#context,
      requestCert: this.#demandsCertificate,
      // Judged here, so that the log can say what is wrong.
      rejectUnauthorized: false,
      ALPNProtocols: [...protocols],
      handshakeTimeout: handshakeTimeoutMs,
      secureOptions,
    });
    this.#server.on("secureConnection", (socket: TLSSocket) => this.#onEstablished(socket));
    this.#server.on("tlsClientError", (error: Error, socket: TLSSocket) => this.#refuse(socket, handshakeFault(error)));
  }

  secure(socket: Socket): void {
    if (this.#open - this.#established >= this.#parts.handshakesMax) {
      this.#refuse(socket, "too many handshakes are under way");
      return;
    }
    this.#open++;
    socket.once("close", () => {
      this.#open--;
    });
    this.#useCurrentFiles();
    // Who leaves during the handshake is not waited for.
    socket.allowHalfOpen = false;
    this.#server.emit("connection", socket);
  }

  #useCurrentFiles(): void {
    const { options } = this.#parts.identity.current();
    if (options === this.#context) return;
    this.#context = options;
    this.#server.setSecureContext({ ...options, secureOptions });
  }

  #onEstablished(socket: TLSSocket): void {
    this.#established++;
    socket.once("close", () => {
      this.#established--;
    });
    // Whoever takes the connection has listeners of its own; until then an error would end the process.
    socket.on("error", ignore);
    if (!this.#demandsCertificate) {
      this.#parts.onSecured({ socket });
      return;
    }
    void this.#verify(socket).catch((error: unknown) => this.#refuse(socket, messageOf(error)));
  }

  async #verify(socket: TLSSocket): Promise<void> {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error("tls: client didn't provide a certificate");
    if (!socket.authorized) throw new Error(`tls: failed to verify certificate: ${reasonOf(socket)}`);
    const objection = await this.#objection(certificate, socket);
    if (objection !== undefined) throw new Error(objection);
    if (socket.destroyed) return;
    const known = { commonName: commonNameOf(certificate), serialNumber: certificate.serialNumber };
    this.#parts.onSecured(this.#parts.settings.clientCertAuth ? { socket, certificate: known } : { socket });
  }

  async #objection(certificate: X509Certificate, socket: TLSSocket): Promise<string | undefined> {
    const { settings, checkClientAddress, resolver, revocations } = this.#parts;
    const revoked = revocations?.current().revokedOf(chainOf(certificate));
    if (revoked !== undefined) return `transport: certificate serial ${revoked.serialNumber} revoked`;
    const objection = nameObjection(certificate, settings);
    const address = plainAddress(socket.remoteAddress);
    if (objection !== undefined || !checkClientAddress || address === undefined) return objection;
    return await addressObjection(certificate, { address, resolver });
  }

  #refuse(socket: Socket, error: string): void {
    const { remoteAddress, remotePort } = socket;
    // Node forgets the address of a connection that is closed.
    const unnamed = socket.destroyed ? "" : "@";
    const remote = remoteAddress === undefined ? unnamed : `${remoteAddress}:${remotePort}`;
    this.#refusals.rejected({ remoteAddress: remote, serverName: serverNameOf(socket), error });
    socket.destroy();
  }
}

/** A certificate and those that vouch for it. */
function chainOf(certificate: X509Certificate): X509Certificate[] {
  const chain = [certificate];
  for (let next = certificate.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    if (next.fingerprint256 === chain.at(-1)?.fingerprint256 || chain.length >= chainLengthMax) break;
    chain.push(next);
  }
  return chain;
}

/** OpenSSL's bound on the depth of a chain. */
const chainLengthMax = 100;

/** An IPv4 address as such, also where the listener takes both kinds. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/, "");
}

/** OpenSSL's names for what is no TLS at all. */
const plaintextReasons: readonly unknown[] = ["http request", "https proxy request", "wrong version number"];

/** Why a handshake failed, without the inner life of OpenSSL. */
function handshakeFault(error: Error): string {
  if ("code" in error && error.code === "ECONNRESET") return "the client hung up during the handshake";
  if (!("reason" in error)) return error.message;
  if (plaintextReasons.includes(error.reason)) return misdirected.plaintext;
  const [reason, alert] = String(error.reason).split(" alert ");
  return alert === undefined ? `tls: ${reason}` : `remote error: tls: ${alert}`;
}

/** OpenSSL's name for the reason; Node has none for constraints. */
function reasonOf({ authorizationError }: TLSSocket): string {
  const reason = authorizationError instanceof Error ? authorizationError.message : String(authorizationError);
  return reason === "UNSPECIFIED" ? "it breaks a constraint of one of its authorities" : reason;
}

function serverNameOf(socket: Socket): string {
  return "servername" in socket && typeof socket.servername === "string" ? socket.servername : "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** "close" follows, and says all that counts. */
function ignore(): void {}
