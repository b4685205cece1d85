/**
 * @module A member with its front end: the composition root. Here the adapters are picked: real clock, disk and
 * network, LMDB, gRPC.
 */
import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { systemScheduler } from "@conclave/base";
import { createPeerNetwork, PeerError } from "@conclave/peer";
import {
  AuthDefinition,
  ClusterDefinition,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  WatchDefinition,
} from "@conclave/protocol/etcdserverpb";
import { ElectionDefinition } from "@conclave/protocol/v3electionpb";
import { LockDefinition } from "@conclave/protocol/v3lockpb";
import { bindService, type ServiceBinding } from "@conclave/rpc";
import { nodeFileSystem, withoutSync } from "@conclave/wal";
import { maybeAdopt } from "./adoption/adopt.ts";
import { isLockedFile } from "./adoption/locked-file.ts";
import { AccessControl } from "./auth/access-control.ts";
import { JwtTokens } from "./auth/jwt-tokens.ts";
import { OperatorGuard } from "./auth/operator-guard.ts";
import { type Passwords, PasswordThread } from "./auth/passwords.ts";
import { RevocableWatches } from "./auth/revocable-watches.ts";
import { type JwtKeys, readTokenOptions } from "./auth/token-options.ts";
import { openDefragmented } from "./bootstrap/bootstrap-defrag.ts";
import { lockDataDir } from "./bootstrap/data-dir-lock.ts";
import {
  type DataPaths,
  dataPaths,
  effectiveQuotaBytes,
  type MemberConfig,
  type MemberConfigInput,
  parseMemberConfig,
} from "./config.ts";
import { formatId } from "./consensus/ids.ts";
import { type DiscoveredCluster, discoverCluster } from "./discovery/discover.ts";
import type { DomainNames } from "./discovery/srv.ts";
import { createFrontEnd, type FrontEnd, listenError } from "./front-end.ts";
import { LeaderGuard } from "./leader-guard.ts";
import { type Log, silentLog } from "./log.ts";
import type { Member } from "./member.ts";
import { MemberError } from "./member-error.ts";
import { memberSettings } from "./member-settings.ts";
import { ownVersion } from "./membership/cluster-version.ts";
import { createApplyWatch } from "./metrics/apply-watch.ts";
import { createInstruments, type Instruments } from "./metrics/instruments.ts";
import { meterBackend, meteredFileSystem } from "./metrics/metered-disk.ts";
import { openMember } from "./open-member.ts";
import { peerOptions } from "./peer-options.ts";
import { createQuota } from "./quota.ts";
import { AuthService } from "./services/auth-service.ts";
import { ClusterService } from "./services/cluster-service.ts";
import { ElectionService } from "./services/election-service.ts";
import { KvService } from "./services/kv-service.ts";
import { LeaseService } from "./services/lease-service.ts";
import { LockService } from "./services/lock-service.ts";
import { MaintenanceService } from "./services/maintenance-service.ts";
import { WatchService } from "./services/watch-service.ts";
import { systemClock, systemRandom } from "./system-ports.ts";
import { type MemberTls, openTls } from "./tls.ts";

/** What an embedder may give beside the configuration. */
export interface ServerOptions {
  /** Where log lines go, by the part that writes them. Default: nowhere. */
  readonly log?: (caller: string) => Log;
  /** Gives up starting, for a member may wait for others as long as it takes. Default: never. */
  readonly signal?: AbortSignal | undefined;
  /** What is asked of the domain name system to find a cluster by `discoverySrv`. Default: the system's resolver. */
  readonly domainNames?: DomainNames | undefined;
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
    const { signal } = options;
    const jwt = await readTokenOptions(config.authToken);
    const tls = await openTls(config, { dataDir, log: log("tls") });
    const cluster = await discoverUnlessFounded(config, paths, options);
    const tools = { log, tls, instruments: createInstruments(createApplyWatch(config, log("server/apply"))) };
    const member = await open({ ...config, ...cluster }, paths, tools);
    return await serve(config, member, { ...tools, dataDir, jwt, signal, release: () => lock.release() });
  } catch (error) {
    await lock.release();
    throw toMemberError(error, config, dataDir);
  }
}

/** A member that has data knows its cluster from there. */
async function discoverUnlessFounded(
  config: MemberConfig,
  { walDir }: DataPaths,
  { log = () => silentLog, signal, domainNames }: ServerOptions,
): Promise<DiscoveredCluster> {
  if (existsSync(walDir)) return config;
  return await discoverCluster(config, { log: log("server/discovery"), signal, names: domainNames });
}

/** A refusal of the operating system is the operator's to mend. */
function toMemberError(error: unknown, { listenPeerUrls }: MemberConfig, dataDir: string): unknown {
  if (error instanceof PeerError && error.code === "LISTEN") return listenError(listenPeerUrls, error);
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new MemberError("DATA_DIR_UNUSABLE", `Cannot use the data directory '${dataDir}': ${error.message}`, {
    cause: error,
  });
}

/** What a member is secured and watched with. */
interface Tools {
  readonly log: (caller: string) => Log;
  readonly tls: MemberTls;
  readonly instruments: Instruments;
}

async function open(config: MemberConfig, paths: DataPaths, { log, tls, instruments }: Tools): Promise<Member> {
  const disk = nodeFileSystem({ clock: systemClock });
  const world = { clock: systemClock, scheduler: systemScheduler, random: systemRandom };
  const settings = memberSettings(config, paths);
  const fileSystem = meteredFileSystem(config.unsafeNoFsync ? withoutSync(disk) : disk, paths, instruments);
  const openBackend = async (path: string) =>
    meterBackend(await openDefragmented(path, { config, log: log("server/store") }), instruments);
  const adoption = { fileSystem, openBackend, isLocked: isLockedFile, log: log("server/adoption") };
  await maybeAdopt({ ...paths, maxLearners: config.maxLearners }, adoption);
  return openMember(settings, {
    ...world,
    ...{ fileSystem, openBackend, applyMeter: instruments.apply },
    resolveHost: async (host) => (await lookup(host, { order: "ipv4first" })).address,
    peers: createPeerNetwork({
      ...world,
      listenUrls: config.listenPeerUrls,
      serverVersion: ownVersion(settings),
      log: log("peer"),
      tls: tls.peers,
      ...peerOptions(config, log("peer")),
    }),
    log: log("server/member"),
  });
}

/** The slow and secret parts of authentication. */
export interface AuthPorts {
  /** Hashes passwords; ends with the member. Default: a thread of their own. */
  readonly passwords?: Passwords;
  /** Keys of the JSON web tokens. Default: none, tokens are simple. */
  readonly jwt?: JwtKeys | undefined;
}

/** Binds every service of a member, for whatever transport carries them. */
export function bindServices(
  config: Pick<MemberConfig, "quotaBackendBytes" | "maxTxnOps"> &
    Partial<Pick<MemberConfig, "bcryptCost" | "clientCertAuth">>,
  member: Member,
  { passwords = new PasswordThread(), jwt: jwtKeys }: AuthPorts = {},
): readonly ServiceBinding[] {
  const quotaBytes = effectiveQuotaBytes(config.quotaBackendBytes);
  const quota = createQuota(member, quotaBytes);
  member.onGrowth(() => quota.onGrowth());
  const jwt = jwtKeys === undefined ? undefined : new JwtTokens(jwtKeys, member.ports.clock);
  const access = new AccessControl({ member, jwt, certificatesNameUsers: config.clientCertAuth });
  const operatorGuard = new OperatorGuard(access, member);
  member.endWithMember({ cancel: () => passwords.close() });
  const kv = new KvService({ member, quota, access, maxTxnOps: config.maxTxnOps });
  const lease = new LeaseService(member, { quota, access });
  const watches = new RevocableWatches({ access, auth: member.auth, feed: member.watchFeed });
  const queueParts = { kv, lease, watches };
  const guard = new LeaderGuard(member);
  member.endWithMember(guard.start());
  const services = [
    bindService(KVDefinition, kv),
    bindService(WatchDefinition, new WatchService(member, access)),
    bindService(LeaseDefinition, lease),
    bindService(LockDefinition, new LockService(queueParts)),
    bindService(ElectionDefinition, new ElectionService(queueParts)),
    bindService(
      AuthDefinition,
      new AuthService({ member, access, passwords, jwt, bcryptCost: config.bcryptCost ?? 10 }),
    ),
    bindService(ClusterDefinition, new ClusterService(member)),
    bindService(MaintenanceDefinition, new MaintenanceService(member, quotaBytes)),
  ];
  return services.map((service) => guard.guard(operatorGuard.guard(service)));
}

interface Surroundings extends Tools {
  readonly jwt: JwtKeys | undefined;
  readonly dataDir: string;
  readonly signal: AbortSignal | undefined;
  readonly release: () => Promise<void>;
}

async function serve(config: MemberConfig, member: Member, surroundings: Surroundings): Promise<Server> {
  const { dataDir, jwt, log, tls, instruments, signal, release } = surroundings;
  const serverLog = log("server");
  let reportFailure: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    reportFailure = resolve;
  });
  const services = bindServices(config, member, { jwt });
  const frontEnd = createFrontEnd(config, { member, services, instruments, log: log("rpc"), tls });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= shutDown(frontEnd, member, release);
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
    const clientUrls = await frontEnd.listen();
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
    await shutDown(frontEnd, member, async () => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

async function shutDown(frontEnd: FrontEnd, member: Member, release: () => Promise<void>): Promise<void> {
  await member.handOver();
  await frontEnd.close({ graceMs: closeGraceMs });
  await member.stop();
  await release();
}
