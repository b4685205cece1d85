/** @module Metrics of the member itself: raft, leadership, requests, health, versions. Names are etcd's. */
import type { PeerStats } from "@conclave/peer";
import { AlarmType } from "@conclave/protocol/etcdserverpb";
import { formatId } from "../consensus/ids.ts";
import type { HealthChecks, Probe } from "../http/health-checks.ts";
import type { Member } from "../member.ts";
import { conclaveVersion, etcdApiVersion } from "../version.ts";
import { counter, type Family, gauge, histogram, type Sample } from "./exposition.ts";

/** What these metrics tell of. */
export interface MemberFamiliesOptions {
  readonly member: Member;
  readonly checks: HealthChecks;
  /** Changes of the leader seen so far. */
  readonly leaderChanges: () => number;
  /** Size of the store, in bytes, at which writes are refused. */
  readonly quotaBytes: number;
}

const one = (labels: Readonly<Record<string, string>>) => (): readonly Sample[] => [{ labels, value: 1 }];

function raftFamilies({ member, leaderChanges }: MemberFamiliesOptions): readonly Family[] {
  const self = () => member.membership.member(member.id);
  const stats = () => member.requestStats;
  return [
    gauge("etcd_server_has_leader", "Whether a leader is known.", () => Number(member.leader !== 0n)),
    gauge("etcd_server_is_leader", "Whether this member leads.", () => Number(member.leader === member.id)),
    gauge("etcd_server_is_learner", "Whether this member has no vote.", () => Number(self()?.isLearner ?? false)),
    counter("etcd_server_leader_changes_seen_total", "Leaders that became known.", leaderChanges),
    gauge(
      "etcd_server_proposals_committed_total",
      "Index of the last committed entry.",
      () => member.raftStatus.commit,
    ),
    gauge("etcd_server_proposals_applied_total", "Index of the last applied entry.", () => member.raftStatus.applied),
    gauge("etcd_server_proposals_pending", "Requests that wait to be applied.", () => member.pendingProposals),
    counter("etcd_server_proposals_failed_total", "Requests that were given up.", () => stats().failedProposals),
    counter("etcd_server_heartbeat_send_failures_total", "Heartbeats that left late.", () => stats().lateHeartbeats),
    counter("etcd_server_slow_read_indexes_total", "Read indexes that were late.", () => stats().slowReadIndexes),
    counter("etcd_server_read_indexes_failed_total", "Read indexes given up.", () => stats().failedReadIndexes),
    gauge("etcd_server_snapshot_apply_in_progress_total", "Whether a received snapshot is being installed.", () =>
      Number(member.isInstallingSnapshot),
    ),
    gauge("conclave_raft_term", "The term.", () => member.raftStatus.term),
    gauge("conclave_alarms_active", "Alarms that are on.", () => activeAlarms(member)),
  ];
}

function activeAlarms({ alarms }: Member): number {
  return alarms.list().filter(({ alarm }) => alarm !== AlarmType.NONE).length;
}

function peerFamilies(member: Member): readonly Family[] {
  const each = <T>(tell: (peer: string, id: bigint, stats: PeerStats) => T) => {
    const { transport } = member;
    return [...transport.peers].flatMap((id) => {
      const stats = transport.stats(id);
      return stats === undefined ? [] : [tell(formatId(id), id, stats)];
    });
  };
  const bytes = (name: string, help: string, read: (peer: string, stats: PeerStats) => Sample): Family =>
    counter(name, help, () => each((peer, _, stats) => read(peer, stats)));
  return [
    gauge("etcd_network_active_peers", "Whether another member is heard.", () =>
      each((Remote, id) => ({
        labels: { Local: formatId(member.id), Remote },
        value: Number(member.transport.activeSince(id) !== undefined),
      })),
    ),
    bytes("etcd_network_peer_sent_bytes_total", "Bytes streamed to a member.", (To, { sentBytes }) => {
      return { labels: { To }, value: sentBytes };
    }),
    bytes("etcd_network_peer_received_bytes_total", "Bytes streamed from a member.", (From, { receivedBytes }) => {
      return { labels: { From }, value: receivedBytes };
    }),
    bytes("etcd_network_peer_sent_failures_total", "How often messages to it were lost.", (To, { sendFailures }) => {
      return { labels: { To }, value: sendFailures };
    }),
    histogram("etcd_network_peer_round_trip_time_seconds", "How long a member took to answer probes.", () =>
      each((To, _, { roundTrips }) => ({ labels: { To }, histogram: roundTrips })),
    ),
  ];
}

const probes: readonly Probe[] = ["livez", "readyz"];

function healthFamilies({ checks }: MemberFamiliesOptions): readonly Family[] {
  const each = (tell: (type: Probe, name: string, succeeded: number, failed: number, ok: boolean) => Sample[]) => () =>
    probes
      .flatMap((type) =>
        Array.from(checks.counts[type], ([name, { succeeded, failed, ok }]) => tell(type, name, succeeded, failed, ok)),
      )
      .flat();
  return [
    counter("etcd_server_health_success", "Answers of /health that were good.", () => checks.health.succeeded),
    counter("etcd_server_health_failures", "Answers of /health that were bad.", () => checks.health.failed),
    gauge(
      "etcd_server_healthcheck",
      "Whether a check of a probe went well when it last ran.",
      each((type, name, _succeeded, _failed, ok) => [{ labels: { type, name }, value: Number(ok) }]),
    ),
    counter(
      "etcd_server_healthchecks_total",
      "How often a check of a probe came out how.",
      each((type, name, succeeded, failed) => [
        { labels: { type, name, status: "success" }, value: succeeded },
        ...(failed === 0 ? [] : [{ labels: { type, name, status: "error" }, value: failed }]),
      ]),
    ),
  ];
}

/** Metrics of a member. */
export function memberFamilies(options: MemberFamiliesOptions): readonly Family[] {
  const { member, quotaBytes } = options;
  const clusterVersion = (): readonly Sample[] => {
    const version = member.membership.clusterVersion;
    if (version === undefined) return [];
    return [{ labels: { cluster_version: version.split(".").slice(0, 2).join(".") }, value: 1 }];
  };
  return [
    gauge("etcd_server_id", "Id of this member, in hex.", one({ server_id: formatId(member.id) })),
    gauge("etcd_server_version", "The level of the etcd API.", one({ server_version: etcdApiVersion })),
    gauge("etcd_cluster_version", "The API level of the cluster.", clusterVersion),
    gauge("conclave_version", "Conclave's own version.", one({ version: conclaveVersion })),
    // A store without a quota has the size that Go's int64 can hold.
    gauge("etcd_server_quota_backend_bytes", "Size of the store at which writes are refused.", () =>
      Math.min(quotaBytes, 2 ** 63),
    ),
    gauge("etcd_debugging_auth_revision", "Revision of users and roles.", () => member.auth.revision),
    counter("conclave_auth_failed_logins_total", "Logins that failed.", () => member.failedLogins),
    ...raftFamilies(options),
    ...peerFamilies(member),
    ...healthFamilies(options),
  ];
}
