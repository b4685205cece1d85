/** @module Metrics of keys, leases, watchers and the disk. Names are etcd's, those of 3.4 that 3.5 renamed too. */
import type { Member } from "../member.ts";
import { counter, type Family, gauge, histogram } from "./exposition.ts";
import type { Instruments } from "./instruments.ts";

function keyFamilies({ store, compaction }: Member): readonly Family[] {
  const twice = (name: string, help: string, read: () => number): readonly Family[] => [
    counter(`etcd_mvcc_${name}`, help, read),
    counter(`etcd_debugging_mvcc_${name}`, help, read),
  ];
  return [
    ...twice("range_total", "Ranges read.", () => store.stats.ranges),
    ...twice("put_total", "Keys put.", () => store.stats.puts),
    ...twice("delete_total", "Deletions.", () => store.stats.deletes),
    ...twice("txn_total", "Transactions of several operations.", () => store.stats.txns),
    gauge("etcd_debugging_mvcc_total_put_size_in_bytes", "Bytes that were put.", () => store.stats.putBytes),
    gauge("etcd_debugging_mvcc_db_compaction_last", "When it ended.", () => Math.floor(compaction.lastMs / 1000)),
    counter("etcd_debugging_mvcc_db_compaction_keys_total", "Entries compacted.", () => store.stats.compacted),
    histogram(
      "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
      "Steps of them.",
      () => compaction.times.steps,
    ),
    histogram(
      "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
      "Compactions.",
      () => compaction.times.totals,
    ),
    gauge("etcd_debugging_mvcc_keys_total", "Keys in the index.", () => store.keyCount),
    gauge("etcd_debugging_mvcc_current_revision", "The current revision.", () => store.currentRevision),
    gauge("etcd_debugging_mvcc_compact_revision", "The last compacted revision.", () => store.compactRevision),
  ];
}

function watchFamilies({ watchFeed }: Member): readonly Family[] {
  const stats = () => watchFeed.hub.stats;
  return [
    counter("etcd_debugging_mvcc_events_total", "Events given to watchers.", () => watchFeed.hub.deliveredEvents),
    gauge("etcd_debugging_mvcc_watch_stream_total", "Open streams of watchers.", () => stats().streams),
    gauge("etcd_debugging_mvcc_watcher_total", "Watchers.", () => stats().watchers),
    gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers that are behind.", () => stats().slowWatchers),
    // What a watcher that is behind is owed stays in the history.
    gauge("etcd_debugging_mvcc_pending_events_total", "Events kept in memory for watchers: never any.", () => 0),
  ];
}

function leaseFamilies({ lessor }: Member): readonly Family[] {
  return [
    counter("etcd_debugging_lease_granted_total", "Leases granted.", () => lessor.stats.granted),
    counter("etcd_debugging_lease_revoked_total", "Leases revoked.", () => lessor.stats.revoked),
    counter("etcd_debugging_lease_renewed_total", "Renewals, on the leader.", () => lessor.stats.renewed),
    counter("etcd_debugging_server_lease_expired_total", "Leases that ran out.", () => lessor.stats.expired),
    histogram("etcd_debugging_lease_ttl_total", "TTLs granted, in seconds.", () => lessor.stats.ttls),
  ];
}

function hashFamilies({ hashTimes }: Member): readonly Family[] {
  return [
    histogram("etcd_mvcc_hash_duration_seconds", "Hashes of the whole store.", () => hashTimes.whole),
    histogram("etcd_mvcc_hash_rev_duration_seconds", "Hashes of the history.", () => hashTimes.byRevision),
  ];
}

function diskFamilies({ backend }: Member, instruments: Instruments): readonly Family[] {
  const { walSync, walWrite, snapshotSync, snapshotSave, commit, defragment, view, counts } = instruments;
  return [
    histogram("etcd_disk_wal_fsync_duration_seconds", "Syncs of the log.", () => walSync),
    histogram("etcd_disk_wal_write_duration_seconds", "Writes of the log.", () => walWrite),
    gauge("etcd_disk_wal_write_bytes_total", "Bytes written to the log.", () => counts.walBytes),
    histogram("etcd_disk_backend_commit_duration_seconds", "Commits of the store.", () => commit),
    histogram("etcd_disk_backend_defrag_duration_seconds", "Defragmentations of the store.", () => defragment),
    gauge("etcd_disk_defrag_inflight", "Whether the store is being defragmented.", () => counts.defragmenting),
    histogram("etcd_disk_backend_snapshot_duration_seconds", "Times a view of the store was open.", () => view),
    gauge("etcd_mvcc_db_open_read_transactions", "Views of the store that are open.", () => counts.openViews),
    histogram("etcd_snap_db_save_total_duration_seconds", "Saving received snapshots.", () => snapshotSave),
    histogram("etcd_snap_db_fsync_duration_seconds", "Syncs of received snapshots.", () => snapshotSync),
    gauge("etcd_mvcc_db_total_size_in_bytes", "Size of the store's file.", () => backend.size().totalBytes),
    gauge("etcd_debugging_mvcc_db_total_size_in_bytes", "The same.", () => backend.size().totalBytes),
    gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Live data in it.", () => backend.size().inUseBytes),
  ];
}

function applyFamilies({ apply }: Instruments): readonly Family[] {
  const operation = (kind: string): string => `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
  return [
    histogram("etcd_server_apply_duration_seconds", "Times that commands took to apply.", () =>
      (["true", "false"] as const).flatMap((success) =>
        Array.from(apply.byOutcome[success], ([kind, times]) => ({
          labels: { version: "v3", op: operation(kind), success },
          histogram: times,
        })),
      ),
    ),
    counter("etcd_server_slow_apply_total", "Commands that took long to apply.", () => apply.slow),
  ];
}

/** Metrics of a member's store. */
export function storeFamilies(member: Member, instruments: Instruments): readonly Family[] {
  return [
    ...keyFamilies(member),
    ...watchFamilies(member),
    ...leaseFamilies(member),
    ...hashFamilies(member),
    ...diskFamilies(member, instruments),
    ...applyFamilies(instruments),
  ];
}
