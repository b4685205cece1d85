import type { DataPaths, MemberConfig } from "./config.ts";
import type { MemberSettings } from "./member.ts";

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
    backendBatchIntervalMs: config.backendBatchInterval,
    backendBatchLimit: config.backendBatchLimit === 0 ? 10_000 : config.backendBatchLimit,
    maxRequestBytes: config.maxRequestBytes,
    compactionBatchLimit: config.compactionBatchLimit,
    compactionSleepMs: config.compactionSleepInterval,
    watchProgressIntervalMs: config.watchProgressNotifyInterval,
  };
}
