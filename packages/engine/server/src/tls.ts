/** @module How a member's connections are encrypted, from its configuration. */
import { join } from "node:path";
import type { PeerTls } from "@conclave/peer";
import {
  createTlsClient,
  createTlsServer,
  ensureSelfSigned,
  RefusalLog,
  TlsError,
  type TlsServer,
  type TlsSettings,
} from "@conclave/tls";
import type { MemberConfig } from "./config.ts";
import type { Log } from "./log.ts";
import { MemberError } from "./member-error.ts";
import { systemClock } from "./system-ports.ts";

/** The encryption of a member's connections. */
export interface MemberTls {
  /** For clients; undefined if there is no certificate for them. */
  readonly clients: TlsServer | undefined;
  /** For peers. */
  readonly peers: PeerTls;
  /** Where connections are told of that are encrypted where nothing is, or the other way round. */
  readonly refusals: RefusalLog;
}

/** What opening takes beside the configuration. */
export interface OpenTlsOptions {
  /** The data directory, below which certificates of the member's own lie. */
  readonly dataDir: string;
  /** Where refused connections are told of. */
  readonly log: Log;
}

/**
 * Reads certificates, or makes them.
 *
 * @throws MemberError `CONFIG` if one that a URL needs is missing, cannot be read or makes no sense
 */
export async function openTls(config: MemberConfig, options: OpenTlsOptions): Promise<MemberTls> {
  try {
    const clients = await openClients(config, options);
    const peers = await openPeers(config, options);
    return { clients, peers, refusals: new RefusalLog(options.log, () => systemClock.monotonicMs()) };
  } catch (error) {
    if (error instanceof TlsError) throw new MemberError("CONFIG", error.message, { cause: error });
    throw error;
  }
}

async function openClients(config: MemberConfig, { dataDir, log }: OpenTlsOptions): Promise<TlsServer | undefined> {
  const { listenClientUrls, listenClientHttpUrls, listenMetricsUrls } = config;
  const urls = [...listenClientUrls, ...listenClientHttpUrls, ...listenMetricsUrls];
  const given = clientSettings(config);
  const own = config.autoTls && isEmpty(given);
  if (config.autoTls && !own) log.warn("ignoring --auto-tls, as certificates are given");
  const settings = own
    ? {
        ...given,
        ...(await selfSigned(config, { directory: join(dataDir, "fixtures", "client"), urls, forClient: false })),
      }
    : given;
  if (isEmpty(settings)) {
    const url = urls.find(isSecure);
    if (url !== undefined) throw missing(`(--cert-file, --key-file) must be provided for client url ${url}`);
    return undefined;
  }
  warnOfPlaintext(urls, { log, whose: "client" });
  return await createTlsServer({ settings, log });
}

async function openPeers(config: MemberConfig, { dataDir, log }: OpenTlsOptions): Promise<PeerTls> {
  const urls = config.listenPeerUrls;
  const given = peerSettings(config);
  const own = config.peerAutoTls && isEmpty(given);
  if (config.peerAutoTls && !own) log.warn("ignoring --peer-auto-tls, as certificates are given");
  const settings = own
    ? {
        ...given,
        ...(await selfSigned(config, { directory: join(dataDir, "fixtures", "peer"), urls, forClient: true })),
      }
    : given;
  // Peers whose certificates nobody vouches for can only be taken at their word.
  const client = createTlsClient({ settings, log, serverName: serverNameOf(config), insecureSkipVerify: own });
  if (isEmpty(settings)) {
    const url = urls.find(isSecure);
    if (url !== undefined) throw missing(`(--peer-cert-file, --peer-key-file) must be provided for peer url ${url}`);
    return { client };
  }
  warnOfPlaintext(urls, { log, whose: "peer" });
  const checkClientAddress = !config.peerSkipClientSanVerification;
  return { client, server: await createTlsServer({ settings, log, checkClientAddress, protocols: ["http/1.1"] }) };
}

function clientSettings(config: MemberConfig): TlsSettings {
  return {
    certFile: config.certFile,
    keyFile: config.keyFile,
    clientCertFile: config.clientCertFile,
    clientKeyFile: config.clientKeyFile,
    trustedCaFile: config.trustedCaFile,
    clientCertAuth: config.clientCertAuth,
    crlFile: config.clientCrlFile,
    allowedHostnames: config.clientCertAllowedHostname,
    ...protocolSettings(config),
  };
}

function peerSettings(config: MemberConfig): TlsSettings {
  return {
    certFile: config.peerCertFile,
    keyFile: config.peerKeyFile,
    clientCertFile: config.peerClientCertFile,
    clientKeyFile: config.peerClientKeyFile,
    trustedCaFile: config.peerTrustedCaFile,
    clientCertAuth: config.peerClientCertAuth,
    crlFile: config.peerCrlFile,
    allowedCommonNames: config.peerCertAllowedCn,
    allowedHostnames: config.peerCertAllowedHostname,
    ...protocolSettings(config),
  };
}

function protocolSettings({ cipherSuites, tlsMinVersion, tlsMaxVersion }: MemberConfig): Partial<TlsSettings> {
  return { cipherSuites, minVersion: tlsMinVersion, maxVersion: tlsMaxVersion };
}

interface SelfSignedPlace {
  readonly directory: string;
  readonly urls: readonly string[];
  readonly forClient: boolean;
}

async function selfSigned({ selfSignedCertValidity }: MemberConfig, { directory, urls, forClient }: SelfSignedPlace) {
  const hosts = urls.filter((url) => !url.startsWith("unix")).map((url) => new URL(url).host);
  const nowMs = systemClock.wallMs();
  return await ensureSelfSigned({ directory, hosts, forClient, validityYears: selfSignedCertValidity, nowMs });
}

/** Who is found by the records of a domain may show a certificate for the domain, unless an authority is named. */
function serverNameOf({ discoverySrv, peerTrustedCaFile }: MemberConfig): string {
  return peerTrustedCaFile === "" ? discoverySrv : "";
}

function isEmpty({ certFile, keyFile }: TlsSettings): boolean {
  return certFile === "" && keyFile === "";
}

function isSecure(url: string): boolean {
  return /^(https|unixs):/.test(url);
}

function missing(what: string): MemberError {
  return new MemberError("CONFIG", `TLS key/cert ${what} with HTTPS scheme`);
}

function warnOfPlaintext(
  urls: readonly string[],
  { log, whose }: { readonly log: Log; readonly whose: "client" | "peer" },
): void {
  for (const url of urls)
    if (!isSecure(url)) log.warn(`the ${whose} URL is for plaintext, certificates are not used there`, { url });
}
