/** @module `conclave grpc-proxy start`. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { withoutUserInfo } from "@conclave/base";
import type { TlsOptions } from "@conclave/client";
import { createTlsServer, ensureSelfSigned, TlsError, type TlsServer } from "@conclave/tls";
import type { Command } from "../command.ts";
import { parseHostAndPort } from "../endpoint.ts";
import { endpointsOf } from "../endpoints.ts";
import type { Flags, FlagValues } from "../flags.ts";
import { createStderrLog, type ProxyLog } from "../log.ts";
import { messageOf, ProxyError } from "../proxy-error.ts";
import { startGrpcProxy } from "./grpc-proxy.ts";

const skipVerifyFlag = "insecure-skip-tls-verify";

const flags: Flags = {
  "advertise-client-url": {
    type: "string",
    usage: "advertise address to register (must be reachable by client)",
    fallback: "127.0.0.1:23790",
  },
  "auto-tls": { type: "bool", usage: "proxy TLS using generated certificates" },
  cacert: { type: "string", usage: "verify certificates of TLS-enabled secure etcd servers using this CA bundle" },
  cert: { type: "string", usage: "identify secure connections with etcd servers using this TLS certificate file" },
  "cert-file": { type: "string", usage: "identify secure connections to the proxy using this TLS certificate file" },
  "client-crl-file": { type: "string", usage: "proxy client certificate revocation list file." },
  "data-dir": { type: "string", usage: "Data directory for persistent data", fallback: "default.proxy" },
  debug: { type: "bool", usage: "Enable debug-level logging for grpc-proxy." },
  "dial-keepalive-time": {
    type: "duration",
    usage: "keepalive time for client(grpc-proxy) connections (default 0, disable).",
  },
  "dial-keepalive-timeout": {
    type: "duration",
    usage: "keepalive timeout for client(grpc-proxy) connections (default 20s).",
    fallback: "20s",
  },
  "discovery-srv": {
    type: "string",
    usage: "domain name to query for SRV records describing cluster endpoints",
  },
  "discovery-srv-name": { type: "string", usage: "service name to query when using DNS discovery" },
  "enable-pprof": {
    type: "bool",
    usage: 'Enable runtime profiling data via HTTP server. Address is at client URL + "/debug/pprof/"',
  },
  endpoints: { type: "strings", usage: "comma separated etcd cluster endpoints", fallback: "127.0.0.1:2379" },
  "experimental-leasing-prefix": {
    type: "string",
    usage: "leasing metadata prefix for disconnected linearized reads.",
  },
  "experimental-serializable-ordering": {
    type: "bool",
    usage: "Ensure serializable reads have monotonically increasing store revisions across endpoints.",
  },
  "grpc-keepalive-interval": {
    type: "duration",
    usage: "Frequency duration of server-to-client ping to check if a connection is alive (0 to disable).",
    fallback: "2h0m0s",
  },
  "grpc-keepalive-min-time": {
    type: "duration",
    usage: "Minimum interval duration that a client should wait before pinging proxy.",
    fallback: "5s",
  },
  "grpc-keepalive-timeout": {
    type: "duration",
    usage: "Additional duration of wait before closing a non-responsive connection (0 to disable).",
    fallback: "20s",
  },
  "insecure-discovery": { type: "bool", usage: "accept insecure SRV records" },
  [skipVerifyFlag]: {
    type: "bool",
    usage:
      "skip authentication of etcd server TLS certificates (CAUTION: this option should be enabled only for testing purposes)",
  },
  key: { type: "string", usage: "identify secure connections with etcd servers using this TLS key file" },
  "key-file": { type: "string", usage: "identify secure connections to the proxy using this TLS key file" },
  "listen-addr": { type: "string", usage: "listen address", fallback: "127.0.0.1:23790" },
  "listen-cipher-suites": {
    type: "strings",
    usage: "Comma-separated list of supported TLS cipher suites between client/proxy (empty: those of Node).",
  },
  "max-concurrent-streams": {
    type: "uint32",
    usage: "Maximum concurrent streams that each client can open at a time.",
    fallback: "4294967295",
  },
  "max-recv-bytes": {
    type: "int",
    usage: "message receive limits in bytes (default value is math.MaxInt32)",
    fallback: "2147483647",
  },
  "max-send-bytes": {
    type: "int",
    usage: "message send limits in bytes (default value is 1.5 MiB)",
    fallback: "1572864",
  },
  "metrics-addr": { type: "string", usage: "listen for endpoint /metrics requests on an additional interface" },
  namespace: { type: "string", usage: "string to prefix to all keys for namespacing requests" },
  "permit-without-stream": {
    type: "bool",
    usage: "Enable client(grpc-proxy) to send keepalive pings even with no active RPCs.",
  },
  "resolver-prefix": {
    type: "string",
    usage: "prefix to use for registering proxy (must be shared with other grpc-proxy members)",
  },
  "resolver-ttl": { type: "int", usage: "specify TTL, in seconds, when registering proxy endpoints", fallback: "0" },
  "self-signed-cert-validity": {
    type: "uint",
    usage: "The validity period of the proxy certificates, unit is year",
    fallback: "1",
  },
  "tls-max-version": {
    type: "string",
    usage: "Maximum TLS version supported by grpc proxy. Possible values: TLS1.2, TLS1.3 (empty: the newest there is).",
  },
  "tls-min-version": {
    type: "string",
    usage: "Minimum TLS version supported by grpc proxy. Possible values: TLS1.2, TLS1.3.",
    fallback: "TLS1.2",
  },
  "trusted-ca-file": { type: "string", usage: "verify certificates of TLS-enabled secure proxy using this CA bundle" },
};

/** The command that starts a gRPC proxy. */
export const grpcProxyCommand: Command = {
  name: "grpc-proxy",
  summary: "grpc-proxy related command",
  startSummary: "start the grpc proxy",
  flags,
  start: startFromFlags,
};

/** Flags that mean nothing here, and harm nothing, with the reason. */
const withoutEffect: Readonly<Record<string, string>> = {
  debug: "there is one level of the log",
  "dial-keepalive-time": "members are pinged every 10 s while a call waits for them",
  "dial-keepalive-timeout": "members have 5 s to answer a ping",
  "enable-pprof": "run the proxy with node's own --cpu-prof or --inspect",
  "experimental-leasing-prefix": "reads are not leased: linearizable ones go to a member",
  "permit-without-stream": "members are pinged only while a call waits for them",
};

async function startFromFlags(values: FlagValues) {
  const log = createStderrLog("proxy/grpc-proxy");
  checkFlags(values);
  warnOfFlags(values, log);
  const prefix = values.text("resolver-prefix");
  const tls = await clientTls(values, log);
  const metricsAddr = values.text("metrics-addr");
  const endpoints = await memberEndpoints(values, log);
  const proxy = await startGrpcProxy({
    listenUrl: `${tls === undefined ? "http" : "https"}://${values.text("listen-addr")}`,
    endpoints,
    metricsUrl: metricsAddr === "" ? undefined : urlOf(metricsAddr),
    advertiseClientUrl: values.text("advertise-client-url"),
    namespace: values.text("namespace"),
    resolver: prefix === "" ? undefined : { prefix, ttlSec: values.whole("resolver-ttl") },
    maxSendBytes: values.whole("max-send-bytes"),
    maxRecvBytes: values.whole("max-recv-bytes"),
    maxConcurrentStreams: values.whole("max-concurrent-streams"),
    pingIntervalMinMs: values.durationMs("grpc-keepalive-min-time"),
    keepAliveIntervalMs: values.durationMs("grpc-keepalive-interval"),
    keepAliveTimeoutMs: values.durationMs("grpc-keepalive-timeout"),
    serializableOrdering: values.isOn("experimental-serializable-ordering"),
    memberTls: await memberTls(values),
    ...(tls === undefined ? {} : { tls }),
    log,
  });
  if (proxy.metricsUrl !== undefined) log.info("gRPC proxy listening for metrics", { address: proxy.metricsUrl });
  log.info("started gRPC proxy", { address: proxy.url, endpoints });
  return { log, close: () => proxy.close() };
}

function warnOfFlags(values: FlagValues, log: ProxyLog): void {
  for (const [name, reason] of Object.entries(withoutEffect)) {
    if (values.isGiven(name)) log.warn(`--${name} has no effect: ${reason}`);
  }
  if (values.isOn(skipVerifyFlag))
    log.warn("certificates of members are not verified: whoever is on the way can read and change everything");
}

function checkFlags(values: FlagValues): void {
  const ttlSec = values.whole("resolver-ttl");
  if (values.text("resolver-prefix") === "") return;
  if (ttlSec < 1) throw new ProxyError("CONFIG", `invalid resolver-ttl ${ttlSec}`);
  if (values.text("advertise-client-url") === "")
    throw new ProxyError("CONFIG", "invalid advertise-client-url: it is empty");
}

/** With certificates for the members every address that does not say otherwise is spoken to with TLS, as in etcd. */
async function memberEndpoints(values: FlagValues, log: ProxyLog): Promise<readonly string[]> {
  const isSecure = ["cert", "key", "cacert"].some((name) => values.text(name) !== "") || values.isOn(skipVerifyFlag);
  const endpoints = await endpointsOf(values, { trustedCaFile: values.text("cacert"), log });
  return endpoints.map(({ address, scheme }) => {
    if (!scheme.startsWith("unix") && !(parseHostAndPort(address)?.host ?? ""))
      throw new ProxyError("CONFIG", `error parsing endpoint ${JSON.stringify(withoutUserInfo(address))}`);
    return `${isSecure ? "https" : scheme}://${address}`;
  });
}

async function memberTls(values: FlagValues): Promise<TlsOptions> {
  const [cert, key, ca] = ["cert", "key", "cacert"].map((name) => {
    const path = values.text(name);
    return path === "" ? undefined : { path };
  });
  if ((cert === undefined) !== (key === undefined))
    throw new ProxyError("CONFIG", "--cert and --key must be given together");
  if (cert !== undefined) await checkNamesNobody(cert.path);
  return { cert, key, ca, insecureSkipVerify: values.isOn(skipVerifyFlag) };
}

/** A member with users takes whoever comes with a certificate for the user that it names: every caller would be that. */
async function checkNamesNobody(path: string): Promise<void> {
  let subject: string;
  try {
    ({ subject } = new X509Certificate(await readFile(path)));
  } catch (cause) {
    throw new ProxyError("CONFIG", `cannot read --cert: ${messageOf(cause)}`, { cause });
  }
  if (/^CN=./m.test(subject)) throw new ProxyError("CONFIG", "cert has non empty Common Name");
}

/** What encrypts connections of clients; undefined if nothing is to. */
async function clientTls(values: FlagValues, log: ProxyLog): Promise<TlsServer | undefined> {
  const files = await certificateFiles(values);
  if (files.certFile === "" && files.keyFile === "") return undefined;
  const suites = values.list("listen-cipher-suites");
  const settings = {
    ...files,
    trustedCaFile: values.text("trusted-ca-file"),
    crlFile: values.text("client-crl-file"),
    cipherSuites: suites.length === 0 ? undefined : suites,
    minVersion: values.text("tls-min-version"),
    maxVersion: values.text("tls-max-version"),
  };
  try {
    return await createTlsServer({ settings, log });
  } catch (cause) {
    if (cause instanceof TlsError) throw new ProxyError("CONFIG", cause.message, { cause });
    throw cause;
  }
}

async function certificateFiles(values: FlagValues): Promise<{ readonly certFile: string; readonly keyFile: string }> {
  const [certFile, keyFile] = [values.text("cert-file"), values.text("key-file")];
  if (certFile !== "" || keyFile !== "" || !values.isOn("auto-tls")) return { certFile, keyFile };
  return await ensureSelfSigned({
    directory: join(values.text("data-dir"), "fixtures", "proxy"),
    hosts: [values.text("listen-addr")],
    validityYears: values.whole("self-signed-cert-validity"),
    forClient: false,
    nowMs: Date.now(),
  });
}

function urlOf(address: string): string {
  return address.includes("://") ? address : `http://${address}`;
}
