import type { Backend } from "@conclave/base";
import { checkDatabaseEntry, type DatabaseEntry, type DatabaseSource, readDatabase } from "@conclave/snapshot";

/**
 * Replaces the content of a store by that of a database.
 *
 * @throws SnapshotError `CORRUPT` if the database is damaged, or the error of the disk; the store is then incomplete
 */
export function replaceContent(backend: Backend, file: DatabaseSource): Promise<void> {
  return backend.replace(checkedEntries(file));
}

async function* checkedEntries(file: DatabaseSource): AsyncGenerator<Parameters<Backend["put"]>> {
  for await (const entry of readDatabase(file)) {
    checkDatabaseEntry(entry);
    if (!isPlaceholder(entry)) yield [entry.bucket, entry.key, entry.value];
  }
}

/**
 * Whether an entry is what etcd's `--bump-revision` leaves at the raised revision: a pair without a key. The compaction
 * that is scheduled beside it keeps the revision as well.
 */
function isPlaceholder({ bucket, value }: DatabaseEntry): boolean {
  return bucket === "key" && value.length === 0;
}
