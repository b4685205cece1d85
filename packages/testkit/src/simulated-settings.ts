/** @module What simulated members are told unless a test tells them otherwise. */
import type { MemberSettings } from "@conclave/server";

/** Settings of a member on a simulated disk: etcd's defaults, whoever it is and wherever it is reached. */
export const simulatedSettings: Omit<MemberSettings, "name" | "peerUrls" | "clientUrls"> = {
  memberDir: "/member",
  walDir: "/member/wal",
  clusterToken: "simulation",
  heartbeatIntervalMs: 100,
  electionTimeoutMs: 1000,
  snapshotCount: 10_000,
  backendBatchIntervalMs: 100,
  backendBatchLimit: 10_000,
  maxRequestBytes: 1_572_864,
  compactionBatchLimit: 1000,
  compactionSleepMs: 10,
  watchProgressIntervalMs: 600_000,
};
