/** @module The names in etcd's directory `member/snap`. */

/** The database. */
export const databaseName = "db";

/** `<term>-<index>.snap` and `<index>.snap.db`: raft snapshots, and databases that came from a leader. */
export function isSnapFile(name: string): boolean {
  return /^[0-9a-f]{16}(-[0-9a-f]{16}\.snap|\.snap\.db)$/.test(name);
}

/** The name of a raft snapshot. */
export function raftSnapshotName({ term, index }: { readonly term: number; readonly index: number }): string {
  return `${hex16(term)}-${hex16(index)}.snap`;
}

/** The name of a database that came with a snapshot from a leader. */
export function receivedDatabaseName(index: number): string {
  return `${hex16(index)}.snap.db`;
}

function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
