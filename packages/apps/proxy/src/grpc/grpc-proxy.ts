/** @module A proxy of the protocol: what many clients ask for alike reaches the members once. */
import { utf8 } from "@conclave/base";
import { type ClientTransport, createClient, createGrpcTransport, type TlsOptions } from "@conclave/client";
import {
  AuthDefinition,
  ClusterDefinition,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  RangeRequest,
  WatchDefinition,
} from "@conclave/protocol/etcdserverpb";
import { ElectionDefinition } from "@conclave/protocol/v3electionpb";
import { LockDefinition } from "@conclave/protocol/v3lockpb";
import {
  bindService,
  createRpcServer,
  type RpcServer,
  type RpcServerOptions,
  type ServiceBinding,
} from "@conclave/rpc";
import { type ProxyLog, silentLog } from "../log.ts";
import { messageOf, ProxyError } from "../proxy-error.ts";
import { authHandlers } from "./auth-proxy.ts";
import { clusterHandlers } from "./cluster-proxy.ts";
import { electionHandlers, lockHandlers } from "./coordination-proxy.ts";
import { forwardService } from "./forward.ts";
import { KeepAliveSharing } from "./keep-alive-sharing.ts";
import { KeyNamespace } from "./key-namespace.ts";
import { kvHandlers, type ProxyParts } from "./kv-proxy.ts";
import { leaseHandlers } from "./lease-proxy.ts";
import { createProxyHttp } from "./proxy-http.ts";
import { renderMetrics } from "./proxy-metrics.ts";
import { ReadCache, type ReadCacheOptions } from "./read-cache.ts";
import { ReadOrder } from "./read-order.ts";
import { type Registration, register } from "./registration.ts";
import { Upstream, upstreamMethod } from "./upstream.ts";
import { WatchHub, type WatchHubStats } from "./watch-hub.ts";
import { watchHandlers } from "./watch-stream.ts";

/** How a gRPC proxy works. */
export interface GrpcProxyOptions {
  /** Where to listen, as `http://host:port` (port 0: the system chooses), `https://…` with `tls`, or `unix://path`. */
  readonly listenUrl: string;
  /** The members, at least one: `host:port` or URLs. */
  readonly endpoints: readonly string[];
  /** Where health and metrics are served besides. Default: only on `listenUrl`. */
  readonly metricsUrl?: string | undefined;
  /** What stands as the only member in the list of members; empty: the list is the cluster's. Default: empty. */
  readonly advertiseClientUrl?: string;
  /** What all keys of the proxy's users begin with at the members. Default: empty. */
  readonly namespace?: string;
  /** Makes the proxy known to those with the same prefix, which then list each other as members. Default: it is not. */
  readonly resolver?: { readonly prefix: string; readonly ttlSec: number } | undefined;
  /** Longest request that is sent on, in bytes. Default: 1.5 MiB. */
  readonly maxSendBytes?: number;
  /** Longest response that is taken from a member, in bytes. Default: 2 GiB − 1. */
  readonly maxRecvBytes?: number;
  /** Streams a client may have open on one connection. Default: 2^32 − 1. */
  readonly maxConcurrentStreams?: number;
  /** Least time between two pings of a client, in milliseconds; one that pings more often is sent away. Default: 5 000. */
  readonly pingIntervalMinMs?: number;
  /** Silence after which a client is pinged, in milliseconds; 0: never. Default: 2 h. */
  readonly keepAliveIntervalMs?: number;
  /** Time a client has to answer that ping, in milliseconds; 0: no end. Default: 20 000. */
  readonly keepAliveTimeoutMs?: number;
  /** Whether serializable reads never go back behind the revision of an earlier answer. Default: false. */
  readonly serializableOrdering?: boolean;
  /** Calls under way to the members at most; further ones get "too many requests". Default: 10 000. */
  readonly callsMax?: number;
  /** The bounds of the cache. */
  readonly cache?: ReadCacheOptions;
  /** How connections to members are encrypted. Default: as Node does, for `https` endpoints. */
  readonly memberTls?: TlsOptions;
  /** Encrypts connections of clients, for an `https` listen URL. Default: none. */
  readonly tls?: RpcServerOptions["tls"];
  /** Where it tells what happens. Default: nowhere. */
  readonly log?: ProxyLog;
}

/** A running gRPC proxy. */
export interface GrpcProxy {
  /** Where it listens. */
  readonly url: string;
  /** Where it serves health and metrics besides, if it does. */
  readonly metricsUrl: string | undefined;
  /** How much its watchers share. */
  readonly watches: WatchHubStats;
  /** How its cache fares. */
  readonly cache: ReadCache["stats"];
  /** Tells its clients to go elsewhere, ends what goes on, and stops listening. */
  close(): Promise<void>;
}

const defaults = {
  advertiseClientUrl: "",
  namespace: "",
  maxSendBytes: 1.5 * 1024 * 1024,
  maxRecvBytes: 2 ** 31 - 1,
  maxConcurrentStreams: 2 ** 32 - 1,
  pingIntervalMinMs: 5_000,
  keepAliveIntervalMs: 2 * 3_600_000,
  keepAliveTimeoutMs: 20_000,
  serializableOrdering: false,
  callsMax: 10_000,
  cache: {},
  memberTls: {},
  log: silentLog,
};

/** Longest request taken from a client: gRPC's own default in Go. */
const maxRequestBytes = 4 * 1024 * 1024;
const rangeMethod = upstreamMethod(KVDefinition, KVDefinition.methods.range);
const healthTimeoutMs = 1_000;
/** The longest time that Node waits for: 24 days. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Starts a gRPC proxy. It does not wait for a member: calls wait for one.
 *
 * @throws ProxyError `CONFIG` without endpoints; `LISTEN` if an address cannot be listened on
 */
export async function startGrpcProxy(options: GrpcProxyOptions): Promise<GrpcProxy> {
  const settings = { ...defaults, ...options };
  if (settings.endpoints.length === 0) throw new ProxyError("CONFIG", "no endpoints found");
  const transport = openTransport(settings);
  const upstream = new Upstream({ ...settings, transport });
  const parts = {
    upstream,
    namespace: new KeyNamespace(utf8(settings.namespace)),
    cache: new ReadCache(settings.cache),
    order: settings.serializableOrdering ? new ReadOrder() : undefined,
  };
  const hub = new WatchHub(parts);
  const keepAlives = new KeepAliveSharing(upstream);
  const known = makeKnown(settings);
  const services = bindAll(parts, {
    hub,
    keepAlives,
    cluster: clusterHandlers({ ...settings, upstream, registration: known?.registration }),
  });
  const http1 = createProxyHttp({
    isHealthy: () => isHealthy(upstream),
    metrics: () => renderMetrics({ cache: parts.cache.stats, watches: hub.stats }),
    memberUrls: () => memberUrls(settings.endpoints, upstream.endpoint),
    tls: settings.memberTls,
  });
  const servers = serversOf(settings, { services, http1 });
  const close = async (): Promise<void> => {
    keepAlives.close();
    await Promise.all(servers.map(({ server }) => server.close()));
    await known?.close();
    transport.close();
  };
  const [url = "", metricsUrl] = await listen(servers, close);
  return {
    url,
    metricsUrl,
    get watches() {
      return hub.stats;
    },
    get cache() {
      return parts.cache.stats;
    },
    close,
  };
}

/** A time that Node can wait for; 0 stands for no end. */
function timerMs(ms: number): number {
  return ms === 0 ? longestTimerMs : Math.min(ms, longestTimerMs);
}

function openTransport({ memberTls }: Settings): ClientTransport {
  try {
    return createGrpcTransport({ tls: memberTls });
  } catch (cause) {
    throw new ProxyError("CONFIG", messageOf(cause), { cause });
  }
}

interface ListeningServer {
  readonly server: RpcServer;
  readonly url: string;
}

type Settings = GrpcProxyOptions & typeof defaults;

function serversOf(
  options: Settings,
  { services, http1 }: Required<Pick<RpcServerOptions, "services" | "http1">>,
): readonly ListeningServer[] {
  const { log, tls, maxConcurrentStreams, pingIntervalMinMs, listenUrl, metricsUrl } = options;
  const secured = tls === undefined ? {} : { tls };
  const onHandlerError = (error: unknown, { path }: { readonly path: string }): void =>
    log.error("a call failed for a fault of the proxy", { path, error: messageOf(error) });
  const server = createRpcServer({
    services,
    http1,
    maxRequestBytes,
    maxConcurrentStreams,
    pingIntervalMinMs,
    keepAliveIntervalMs: timerMs(options.keepAliveIntervalMs),
    keepAliveTimeoutMs: timerMs(options.keepAliveTimeoutMs),
    onHandlerError,
    ...secured,
  });
  if (metricsUrl === undefined) return [{ server, url: listenUrl }];
  return [
    { server, url: listenUrl },
    { server: createRpcServer({ services: [], http1, ...secured }), url: metricsUrl },
  ];
}

async function listen(servers: readonly ListeningServer[], close: () => Promise<void>): Promise<readonly string[]> {
  try {
    const urls: string[] = [];
    for (const { server, url } of servers) urls.push(...(await server.listen(url)));
    return urls;
  } catch (cause) {
    await close();
    throw new ProxyError("LISTEN", messageOf(cause), { cause });
  }
}

interface KnownProxy {
  readonly registration: Registration;
  close(): Promise<void>;
}

function makeKnown(options: Settings): KnownProxy | undefined {
  const { resolver, endpoints, memberTls, namespace, advertiseClientUrl, log } = options;
  if (resolver === undefined) return undefined;
  const client = createClient({ endpoints: [...endpoints], namespace, tls: memberTls });
  const { prefix: resolverPrefix, ttlSec } = resolver;
  const registration = register({ client, resolverPrefix, address: advertiseClientUrl, ttlSec, log });
  return {
    registration,
    async close() {
      await registration.close();
      await client.close();
    },
  };
}

interface Handlers {
  readonly hub: WatchHub;
  readonly keepAlives: KeepAliveSharing;
  readonly cluster: ReturnType<typeof clusterHandlers>;
}

function bindAll(parts: ProxyParts, { hub, keepAlives, cluster }: Handlers): readonly ServiceBinding[] {
  return [
    bindService(KVDefinition, kvHandlers(parts)),
    bindService(WatchDefinition, watchHandlers(hub, parts.namespace)),
    bindService(LeaseDefinition, leaseHandlers(parts, keepAlives)),
    bindService(ClusterDefinition, cluster),
    bindService(MaintenanceDefinition, forwardService(parts.upstream, MaintenanceDefinition)),
    bindService(AuthDefinition, authHandlers(parts)),
    bindService(LockDefinition, lockHandlers(parts)),
    bindService(ElectionDefinition, electionHandlers(parts)),
  ];
}

/** Whether a member answers a linearizable read; one that may not say what it has is there too. */
async function isHealthy(upstream: Upstream): Promise<boolean> {
  const caller = { metadata: {}, identity: "" };
  const signal = AbortSignal.timeout(healthTimeoutMs);
  try {
    await upstream.unary(rangeMethod, RangeRequest.fromPartial({ key: utf8("a") }), { caller, signal });
    return true;
  } catch (error) {
    return /permission denied|user name is empty/.test(messageOf(error));
  }
}

/** The members' URLs, that of the current one first. */
function memberUrls(endpoints: readonly string[], current: string): readonly string[] {
  const inTurn = [current, ...endpoints.filter((endpoint) => endpoint !== current)];
  return inTurn.map((endpoint) => (endpoint.includes("://") ? endpoint : `http://${endpoint}`));
}
