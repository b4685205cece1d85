/** @module Options of single features: checks for corruption, compaction, leases, watches, learners. */
import { duration, option, type Section, toggle } from "./field.ts";
import { text, wholeNumber } from "./scalars.ts";

/** Options of single features. */
export interface FeatureOptions {
  /** Features by name, as in `InitialCorruptCheck=true,LeaseCheckpoint=false`; each is an option of its own too. Default: none. */
  readonly featureGates: string;
  /** Compare the data with that of the other members before anything is served. Default false. */
  readonly initialCorruptCheck: boolean;
  /** Time between two comparisons of the members' data; 0: none are made. Default 0. */
  readonly corruptCheckTime: number;
  /** Compare the hashes that members make of what they compact. Default false. */
  readonly compactHashCheckEnabled: boolean;
  /** Time between two such comparisons. Default 60 000. */
  readonly compactHashCheckTime: number;
  /** Replicate the time that long leases have left, so that a new leader does not grant it anew. Default true. */
  readonly experimentalEnableLeaseCheckpoint: boolean;
  /** Keep that time in the store also while the cluster's version is below 3.6; needs the option above. Default false. */
  readonly experimentalEnableLeaseCheckpointPersist: boolean;
  /** Revisions looked at in one step of a compaction. Default 1000. */
  readonly compactionBatchLimit: number;
  /** Pause between two steps of a compaction. Default 10. */
  readonly compactionSleepInterval: number;
  /** Interval of progress notifications of watches that ask for them. Default ten minutes. */
  readonly watchProgressNotifyInterval: number;
  /** Time from which applying an entry is worth a warning. Default 100. */
  readonly warningApplyDuration: number;
  /** Megabytes that defragmenting must free for it to be done before the member starts; 0: never. Default 0. */
  readonly bootstrapDefragThresholdMegabytes: number;
  /** Most learners in the cluster; all members must share it. Default 1. */
  readonly maxLearners: number;
  /** Entries kept in memory behind a snapshot, for members that are a little behind. Default 5000. */
  readonly snapshotCatchupEntries: number;
  /** Taken for etcd's sake: whether a downgrade is done is looked at whenever the cluster's version is. Default 5000. */
  readonly downgradeCheckTime: number;
  /** Taken for etcd's sake: defragmenting stops no reads. Default false. */
  readonly stopGrpcServiceOnDefrag: boolean;
  /** Taken for etcd's sake: there is no such buffer. Default true. */
  readonly txnModeWriteWithSharedBuffer: boolean;
  /** Taken for etcd's sake: the system chooses the address that peers are called from. Default false. */
  readonly setMemberLocalAddr: boolean;
  /** Taken for etcd's sake: a lease is always renewed without waiting. Default false. */
  readonly fastLeaseKeepAlive: boolean;
}

/** The section of single features. */
export const featuresSection: Section<FeatureOptions> = {
  title: "Features",
  fields: {
    featureGates: option(text, {
      fallback: "",
      help: "Comma-separated features, such as InitialCorruptCheck=true.",
    }),
    initialCorruptCheck: toggle({
      fallback: false,
      help: "Compare the data with that of the other members before anything is served.",
      experimental: true,
    }),
    corruptCheckTime: duration({
      fallback: 0,
      fallbackText: "0s",
      help: "Time between two comparisons of the members' data (0: none are made).",
      experimental: true,
    }),
    compactHashCheckEnabled: toggle({
      fallback: false,
      help: "Compare the hashes that members make of what they compact.",
      experimental: true,
    }),
    compactHashCheckTime: duration({
      fallback: 60_000,
      fallbackText: "1m",
      help: "Time between two such comparisons.",
      experimental: true,
    }),
    experimentalEnableLeaseCheckpoint: toggle({
      fallback: true,
      help: "Replicate the time that long leases have left.",
    }),
    experimentalEnableLeaseCheckpointPersist: toggle({
      fallback: false,
      help: "Keep that time in the store also while the cluster's version is below 3.6.",
    }),
    compactionBatchLimit: option(wholeNumber({ min: 1 }), {
      fallback: 1000,
      help: "Revisions deleted in one step of a compaction.",
      experimental: true,
    }),
    compactionSleepInterval: duration({
      fallback: 10,
      fallbackText: "10ms",
      help: "Pause between two steps of a compaction.",
      experimental: true,
    }),
    watchProgressNotifyInterval: duration({
      fallback: 600_000,
      fallbackText: "10m",
      help: "Interval of progress notifications of watches.",
      experimental: true,
    }),
    warningApplyDuration: duration({
      fallback: 100,
      fallbackText: "100ms",
      help: "Time from which applying an entry is worth a warning.",
      experimental: true,
    }),
    bootstrapDefragThresholdMegabytes: option(wholeNumber({ min: 0 }), {
      fallback: 0,
      help: "Megabytes that defragmenting must free for it to be done before the member starts (0: never).",
      experimental: true,
    }),
    maxLearners: option(wholeNumber({ min: 1 }), {
      fallback: 1,
      help: "Most learners in the cluster; the same for all members.",
      experimental: true,
    }),
    snapshotCatchupEntries: option(wholeNumber({ min: 1 }), {
      fallback: 5000,
      help: "Entries kept in memory behind a snapshot, for members that are a little behind.",
      experimental: true,
    }),
    downgradeCheckTime: duration({
      fallback: 5000,
      fallbackText: "5s",
      help: "Without effect: it is looked at whenever the cluster's version is.",
      unused: "whether a downgrade is done is looked at whenever the cluster's version is",
      experimental: true,
    }),
    stopGrpcServiceOnDefrag: toggle({
      fallback: false,
      help: "Without effect: defragmenting stops no reads.",
      experimental: true,
      unused: "a member serves while it is defragmented",
    }),
    txnModeWriteWithSharedBuffer: toggle({
      fallback: true,
      help: "Without effect: there is no such buffer.",
      experimental: true,
      unused: "a transaction copies no buffer",
    }),
    setMemberLocalAddr: toggle({
      fallback: false,
      help: "Without effect: the system chooses the address that peers are called from.",
      unused: "the system chooses the address that peers are called from",
    }),
    fastLeaseKeepAlive: toggle({
      fallback: false,
      help: "Without effect: a lease is always renewed without waiting.",
      unused: "a lease is always renewed without waiting",
    }),
  },
  check(config, refuse) {
    if (config.experimentalEnableLeaseCheckpointPersist && !config.experimentalEnableLeaseCheckpoint)
      refuse("experimentalEnableLeaseCheckpointPersist", "needs --experimental-enable-lease-checkpoint");
  },
};
