/** @module What a monitoring setup for etcd expects at `/metrics`, filled with this member's values. */
import { AlarmType } from "@conclave/protocol/etcdserverpb";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { formatId } from "./ids.ts";
import type { Member } from "./member.ts";
import { clusterApiVersion, conclaveVersion, etcdApiVersion } from "./version.ts";

/** The metrics of one member. */
export interface Metrics {
  /** The media type of {@link render}'s text. */
  readonly contentType: string;
  /** All metrics in the text format of Prometheus, read at this moment. */
  render(): Promise<string>;
}

interface GaugeDefinition {
  readonly help: string;
  readonly read: (member: Member) => number;
}

const gauges: Readonly<Record<string, GaugeDefinition>> = {
  etcd_server_has_leader: { help: "Whether a leader is known.", read: (member) => Number(member.leader !== 0n) },
  etcd_server_is_leader: { help: "Whether this member leads.", read: (member) => Number(member.leader === member.id) },
  etcd_server_is_learner: {
    help: "Whether this member has no vote.",
    read: (member) => Number(member.membership.member(member.id)?.isLearner ?? false),
  },
  etcd_server_proposals_committed_total: {
    help: "Index of the last committed entry.",
    read: (member) => member.raftStatus.commit,
  },
  etcd_server_proposals_applied_total: {
    help: "Index of the last applied entry.",
    read: (member) => member.raftStatus.applied,
  },
  etcd_server_proposals_pending: {
    help: "Requests that wait to be applied.",
    read: (member) => member.pendingProposals,
  },
  etcd_mvcc_db_total_size_in_bytes: {
    help: "Size of the store's file.",
    read: (member) => member.backend.size().totalBytes,
  },
  etcd_mvcc_db_total_size_in_use_in_bytes: {
    help: "Live data in the store's file.",
    read: (member) => member.backend.size().inUseBytes,
  },
  etcd_debugging_mvcc_current_revision: {
    help: "The current revision.",
    read: (member) => member.store.currentRevision,
  },
  etcd_debugging_mvcc_compact_revision: {
    help: "The last compacted revision.",
    read: (member) => member.store.compactRevision,
  },
  conclave_alarms_active: {
    help: "Alarms that are on.",
    read: (member) => member.alarms.list().filter(({ alarm }) => alarm !== AlarmType.NONE).length,
  },
};

/** Creates the metrics of a member; they are read when asked for, so they cost nothing otherwise. */
export function createMetrics(member: Member): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const [name, { help, read }] of Object.entries(gauges)) {
    const gauge: Gauge = new Gauge({ name, help, registers: [registry], collect: () => gauge.set(read(member)) });
  }
  const labelled = (name: string, help: string, labels: Readonly<Record<string, string>>): void => {
    new Gauge({ name, help, labelNames: Object.keys(labels), registers: [registry] }).set(labels, 1);
  };
  labelled("etcd_server_id", "Id of this member, in hex.", { server_id: formatId(member.id) });
  labelled("etcd_server_version", "The level of the etcd API.", { server_version: etcdApiVersion });
  labelled("etcd_cluster_version", "The API level of the cluster.", {
    cluster_version: clusterApiVersion.split(".").slice(0, 2).join("."),
  });
  labelled("conclave_version", "Conclave's own version.", { version: conclaveVersion });
  return { contentType: registry.contentType, render: () => registry.metrics() };
}
