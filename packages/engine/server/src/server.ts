/**
 * @module A member with its front end: the composition root. Here the adapters are picked: real clock, disk and
 * network, LMDB, gRPC.
 */
import { lookup } from "node:dns/promises";
import { createPeerNetwork, PeerError } from "@conclave/peer";
import {
  ClusterDefinition,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  WatchDefinition,
} from "@conclave/protocol/etcdserverpb";
import { ElectionDefinition } from "@conclave/protocol/v3electionpb";
import { LockDefinition } from "@conclave/protocol/v3lockpb";
import { bindService, createRpcServer, type RpcServer, type ServiceBinding } from "@conclave/rpc";
import { openLmdbBackend } from "@conclave/store-lmdb";
import { nodeFileSystem, withoutSync } from "@conclave/wal";
import { ownVersion } from "./cluster-version.ts";
import {
  type DataPaths,
  dataPaths,
  effectiveQuotaBytes,
  type MemberConfig,
  type MemberConfigInput,
  parseMemberConfig,
} from "./config.ts";
import { lockDataDir } from "./data-dir-lock.ts";
import { createHttpEndpoints } from "./http-endpoints.ts";
import { formatId } from "./ids.ts";
import { LeaderGuard } from "./leader-guard.ts";
import { type Log, silentLog } from "./log.ts";
import { type Member, openMember } from "./member.ts";
import { MemberError } from "./member-error.ts";
import { memberSettings } from "./member-settings.ts";
import { createMetrics } from "./metrics.ts";
import { createQuota } from "./quota.ts";
import { ClusterService } from "./services/cluster-service.ts";
import { ElectionService } from "./services/election-service.ts";
import { KvService } from "./services/kv-service.ts";
import { LeaseService } from "./services/lease-service.ts";
import { LockService } from "./services/lock-service.ts";
import { MaintenanceService } from "./services/maintenance-service.ts";
import { WatchService } from "./services/watch-service.ts";
import { grpcOverheadBytes } from "./state-machine.ts";
import { systemClock, systemRandom, systemScheduler } from "./system-ports.ts";

/** What an embedder may give beside the configuration. */
export interface ServerOptions {
  /** Where log lines go, by the part that writes them. Default: nowhere. */
  readonly log?: (caller: string) => Log;
  /** Gives up starting, for a member may wait for others as long as it takes. Default: never. */
  readonly signal?: AbortSignal | undefined;
}

/** A running member. */
export interface Server extends AsyncDisposable {
  /** Id of the member. */
  readonly memberId: bigint;
  /** Id of its cluster. */
  readonly clusterId: bigint;
  /** The URLs it listens on for clients, with the ports in force where port 0 was asked for. */
  readonly clientUrls: readonly string[];
  /** Its data directory. */
  readonly dataDir: string;
  /** Resolves with the error if the member had to stop by itself; stays pending otherwise. */
  readonly failed: Promise<Error>;
  /** Resolves once the member has learned that it was removed from its cluster; it should be stopped then. */
  readonly removed: Promise<void>;
  /** Ends streams and connections, persists applied state and lets go of the data directory. */
  stop(): Promise<void>;
}

/** Longest time that requests under way may take once the server is told to stop. */
const closeGraceMs = 500;

/**
 * Starts a member inside this process: opens or founds its data directory, elects, and listens for clients. Fit for
 * production: it is what the command `conclave` runs.
 *
 * @param input - the configuration, as etcd's flags in camel case; everything has etcd's default
 * @returns the running member, once it can serve
 * @throws MemberError with one line that says what an operator can do: bad configuration, data directory in use,
 * damaged or of another member, port in use
 */
export async function startServer(input: MemberConfigInput = {}, options: ServerOptions = {}): Promise<Server> {
  const config = parseMemberConfig({ ...input });
  const log = options.log ?? (() => silentLog);
  const paths = dataPaths(config);
  const { dataDir } = paths;
  const lock = await lockDataDir(dataDir);
  try {
    const member = await open(config, paths, log);
    const { signal } = options;
    return await serve(config, member, { dataDir, log, signal, release: () => lock.release() });
  } catch (error) {
    await lock.release();
    throw toMemberError(error, config, dataDir);
  }
}

/** A refusal of the operating system is the operator's to mend. */
function toMemberError(error: unknown, { listenPeerUrls }: MemberConfig, dataDir: string): unknown {
  if (error instanceof PeerError && error.code === "LISTEN") return listenError(listenPeerUrls, error);
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new MemberError("DATA_DIR_UNUSABLE", `Cannot use the data directory '${dataDir}': ${error.message}`, {
    cause: error,
  });
}

function open(config: MemberConfig, paths: DataPaths, log: (caller: string) => Log): Promise<Member> {
  const disk = nodeFileSystem({ clock: systemClock });
  const world = { clock: systemClock, scheduler: systemScheduler, random: systemRandom };
  const settings = memberSettings(config, paths);
  return openMember(settings, {
    ...world,
    fileSystem: config.unsafeNoFsync ? withoutSync(disk) : disk,
    openBackend: (path) => openLmdbBackend({ path }),
    resolveHost: async (host) => (await lookup(host, { order: "ipv4first" })).address,
    peers: createPeerNetwork({
      ...world,
      listenUrls: config.listenPeerUrls,
      serverVersion: ownVersion(settings),
      log: log("peer"),
    }),
    log: log("server/member"),
  });
}

/** Binds every service of a member, for whatever transport carries them. */
export function bindServices(
  config: Pick<MemberConfig, "quotaBackendBytes" | "maxTxnOps">,
  member: Member,
): readonly ServiceBinding[] {
  const quotaBytes = effectiveQuotaBytes(config.quotaBackendBytes);
  const quota = createQuota(member, quotaBytes);
  const kv = new KvService({ member, quota, maxTxnOps: config.maxTxnOps });
  const lease = new LeaseService(member, quota);
  const queueParts = { kv, lease, watches: member.watchFeed };
  const guard = new LeaderGuard(member);
  member.endWithMember(guard.start());
  const services = [
    bindService(KVDefinition, kv),
    bindService(WatchDefinition, new WatchService(member)),
    bindService(LeaseDefinition, lease),
    bindService(LockDefinition, new LockService(queueParts)),
    bindService(ElectionDefinition, new ElectionService(queueParts)),
    bindService(ClusterDefinition, new ClusterService(member)),
    bindService(MaintenanceDefinition, new MaintenanceService(member, quotaBytes)),
  ];
  return services.map((service) => guard.guard(service));
}

interface Surroundings {
  readonly dataDir: string;
  readonly log: (caller: string) => Log;
  readonly signal: AbortSignal | undefined;
  readonly release: () => Promise<void>;
}

async function serve(config: MemberConfig, member: Member, surroundings: Surroundings): Promise<Server> {
  const { dataDir, log, signal, release } = surroundings;
  const serverLog = log("server");
  let reportFailure: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    reportFailure = resolve;
  });
  const rpc = createFrontEnd(config, member, log("rpc"));
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= shutDown(rpc, member, release);
    return stopping;
  };
  const giveUp = (): void => void member.stop();
  signal?.addEventListener("abort", giveUp);
  try {
    signal?.throwIfAborted();
    await member.start((error) => {
      reportFailure(error instanceof Error ? error : new Error(String(error)));
      void stop();
    });
    const clientUrls = await listen(rpc, config.listenClientUrls);
    serverLog.info("ready to serve client requests", {
      "member-id": formatId(member.id),
      "cluster-id": formatId(member.clusterId),
      "client-urls": clientUrls,
    });
    return {
      memberId: member.id,
      clusterId: member.clusterId,
      clientUrls,
      dataDir,
      failed,
      removed: member.removed,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await shutDown(rpc, member, async () => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

async function shutDown(rpc: RpcServer, member: Member, release: () => Promise<void>): Promise<void> {
  await member.handOver();
  await rpc.close({ graceMs: closeGraceMs });
  await member.stop();
  await release();
}

function createFrontEnd(config: MemberConfig, member: Member, log: Log): RpcServer {
  return createRpcServer({
    services: bindServices(config, member),
    maxRequestBytes: config.maxRequestBytes + grpcOverheadBytes,
    maxConcurrentStreams: config.maxConcurrentStreams,
    http1: createHttpEndpoints({ member, metrics: createMetrics(member) }),
    pingIntervalMinMs: config.grpcKeepaliveMinTime,
    keepAliveIntervalMs: config.grpcKeepaliveInterval,
    keepAliveTimeoutMs: config.grpcKeepaliveTimeout,
    onHandlerError: (error, { path }) => {
      log.error("a call failed", {
        path,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    },
  });
}

async function listen(rpc: RpcServer, urls: readonly string[]): Promise<readonly string[]> {
  try {
    return await rpc.listen(...urls);
  } catch (error) {
    throw listenError(urls, error as Error);
  }
}

function listenError(urls: readonly string[], error: Error): MemberError {
  return new MemberError("LISTEN", `Cannot listen on ${urls.join(",")}: ${error.message}`, { cause: error });
}
