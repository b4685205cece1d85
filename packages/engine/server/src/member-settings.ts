import type { Backend, Clock, Random, Scheduler } from "@conclave/base";
import type { PeerNetwork } from "@conclave/peer";
import type { FileSystem } from "@conclave/wal";
import type { ApplyMeter } from "./apply/applier.ts";
import { parseRetention, type Retention } from "./auto-compaction/retention.ts";
import type { ResolveHost } from "./bootstrap/initial-cluster.ts";
import { parseDurationMs } from "./config/scalars.ts";
import type { DataPaths, MemberConfig } from "./config.ts";
import type { Log } from "./log.ts";

/** The world a member lives in. */
export interface MemberPorts {
  /** Tells the time. */
  readonly clock: Clock;
  /** Runs what is to happen later. */
  readonly scheduler: Scheduler;
  /** Draws election timeouts and lease ids. */
  readonly random: Random;
  /** Holds the write-ahead log. */
  readonly fileSystem: FileSystem;
  /** Opens the store at a path. */
  readonly openBackend: (path: string) => Promise<Backend>;
  /** The way to the other members. */
  readonly peers: PeerNetwork;
  /** Looks up the hosts of peer URLs before URLs are compared. Default: they are compared as they are. */
  readonly resolveHost?: ResolveHost;
  /** Measures how long commands take to apply. Default: nobody does. */
  readonly applyMeter?: ApplyMeter;
  /** Takes the log lines. */
  readonly log: Log;
}

/** What a member is told. Defaults belong to the configuration: what is optional here is for tests. */
export interface MemberSettings {
  /** Human-readable name, published to the cluster. */
  readonly name: string;
  /** Directory of the member's state. */
  readonly memberDir: string;
  /** Directory of the write-ahead log. */
  readonly walDir: string;
  /** Size in bytes at which a segment of the write-ahead log ends; default: etcd's 64 000 000. */
  readonly walSegmentBytes?: number;
  /** URLs that other members reach it at; the id of a new member follows from them. */
  readonly peerUrls: readonly string[];
  /** URLs that clients reach it at, published to the cluster. */
  readonly clientUrls: readonly string[];
  /** Tells clusters apart that are founded alike. */
  readonly clusterToken: string;
  /** Members of the cluster while there is no data, as `name=url` pairs separated by commas. Default: this one alone. */
  readonly initialCluster?: string;
  /** Whether that cluster is founded or exists. Default `new`. */
  readonly initialClusterState?: "new" | "existing";
  /** Start as a cluster of one on the data of a member whose cluster has lost its majority for good. Default false. */
  readonly forceNewCluster?: boolean;
  /** Ask whether an election could be won before one is called. Default true. */
  readonly preVote?: boolean;
  /** Refuse changes of the membership that would leave too few started members. Default true. */
  readonly strictReconfigCheck?: boolean;
  /** Most learners in the cluster; all members must share it. Default 1. */
  readonly maxLearners?: number;
  /** The highest version that the cluster may agree on, such as `3.5.0`. Default: the highest all members speak. */
  readonly maxClusterVersion?: string;
  /** Time of one tick. */
  readonly heartbeatIntervalMs: number;
  /** Time without a leader before an election; all members must share it. */
  readonly electionTimeoutMs: number;
  /** Bytes of entries in one append to a follower; a larger entry travels alone. Default: etcd's 1 MiB. */
  readonly maxMessageBytes?: number;
  /** Applied entries between two snapshot records in the log. */
  readonly snapshotCount: number;
  /** Entries kept in memory behind a snapshot, for members that are a little behind. Default 5000. */
  readonly snapshotCatchUpEntries?: number;
  /** Replicate the time that long leases have left. Default true. */
  readonly leaseCheckpoints?: boolean;
  /** Keep that time in the store also while the version of the cluster is below 3.6. Default false. */
  readonly persistLeaseCheckpoints?: boolean;
  /** Let most of the first election timeout pass at once when the member starts. Default true. */
  readonly initialElectionTickAdvance?: boolean;
  /** Longest time applied state stays unpersisted in the store. */
  readonly backendBatchIntervalMs: number;
  /** Buffered store operations at which a commit starts at once. */
  readonly backendBatchLimit: number;
  /** Largest log entry that is proposed, in bytes. */
  readonly maxRequestBytes: number;
  /** Revisions deleted in one step of a compaction. */
  readonly compactionBatchLimit: number;
  /** Pause between two steps of a compaction. */
  readonly compactionSleepMs: number;
  /** What is kept of the history by compactions that the member makes by itself as leader. Default: it makes none. */
  readonly autoCompaction?: Retention;
  /** Compare the history with that of the other members before the member takes part in anything. Default false. */
  readonly initialCorruptCheck?: boolean;
  /** Time between two comparisons of all members' histories by the leader. Default 0: none. */
  readonly corruptCheckMs?: number;
  /** Time between two comparisons of what compactions left on the members, by the leader. Default 0: none. */
  readonly compactHashCheckMs?: number;
  /** Time after which a simple token that nobody uses is forgotten. Default: etcd's 300. */
  readonly simpleTokenTtlSec?: number;
  /** Time between progress notifications of watchers that asked for them; at random up to a tenth more or less. */
  readonly watchProgressIntervalMs: number;
}

/** What a configuration tells the member itself, apart from its front end. */
export function memberSettings(config: MemberConfig, paths: Pick<DataPaths, "memberDir" | "walDir">): MemberSettings {
  return {
    name: config.name,
    memberDir: paths.memberDir,
    walDir: paths.walDir,
    peerUrls: config.initialAdvertisePeerUrls,
    clientUrls: config.advertiseClientUrls,
    clusterToken: config.initialClusterToken,
    initialCluster: config.initialCluster,
    initialClusterState: config.initialClusterState,
    forceNewCluster: config.forceNewCluster,
    preVote: config.preVote,
    strictReconfigCheck: config.strictReconfigCheck,
    maxLearners: config.maxLearners,
    ...(config.maxClusterVersion !== "" && { maxClusterVersion: config.maxClusterVersion }),
    heartbeatIntervalMs: config.heartbeatInterval,
    electionTimeoutMs: config.electionTimeout,
    snapshotCount: config.snapshotCount,
    snapshotCatchUpEntries: config.snapshotCatchupEntries,
    leaseCheckpoints: config.experimentalEnableLeaseCheckpoint,
    persistLeaseCheckpoints: config.experimentalEnableLeaseCheckpointPersist,
    initialElectionTickAdvance: config.initialElectionTickAdvance,
    backendBatchIntervalMs: config.backendBatchInterval,
    backendBatchLimit: config.backendBatchLimit === 0 ? 10_000 : config.backendBatchLimit,
    maxRequestBytes: config.maxRequestBytes,
    ...(config.authTokenTtl > 0 && { simpleTokenTtlSec: config.authTokenTtl }),
    compactionBatchLimit: config.compactionBatchLimit,
    compactionSleepMs: config.compactionSleepInterval,
    watchProgressIntervalMs: config.watchProgressNotifyInterval,
    ...healthSettings(config),
  };
}

/** What keeps the history short, and the members' histories the same. */
function healthSettings(config: MemberConfig): Partial<MemberSettings> {
  const autoCompaction = parseRetention(config.autoCompactionMode, config.autoCompactionRetention, parseDurationMs);
  return {
    ...(autoCompaction !== undefined && { autoCompaction }),
    initialCorruptCheck: config.initialCorruptCheck,
    corruptCheckMs: config.corruptCheckTime,
    compactHashCheckMs: config.compactHashCheckEnabled ? config.compactHashCheckTime : 0,
  };
}
