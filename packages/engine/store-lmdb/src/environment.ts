import { type BackendSize, type Bucket, buckets } from "@conclave/base";
import { type Database, type DatabaseOptions, open, type RootDatabase, type RootDatabaseOptionsWithPath } from "lmdb";
import { createLmdbCodec, type LmdbCodec } from "./lmdb-codec.ts";
import { checkSchema, schemaDatabases } from "./schema.ts";

/** The database of a bucket. */
export type BucketDatabase = Database<Uint8Array, Uint8Array>;

/** An opened LMDB environment with one database per bucket. */
export interface Environment {
  readonly root: RootDatabase<Uint8Array, Uint8Array>;
  readonly databases: ReadonlyMap<Bucket, BucketDatabase>;
}

/** How to open an environment. */
export interface EnvironmentOptions {
  /** Its directory; created if missing. */
  readonly path: string;
  /** Address space to reserve, in bytes. */
  readonly mapSizeBytes: number;
}

/** How LMDB is told to open an environment, in every thread alike. */
export function rootOptions({ path, mapSizeBytes }: EnvironmentOptions): RootDatabaseOptionsWithPath {
  return {
    path,
    noSubdir: false,
    mapSize: mapSizeBytes,
    maxDbs: buckets.length + schemaDatabases,
    // Plain LMDB: the pages are synced before the meta page that makes them valid is written.
    overlappingSync: false,
  };
}

/**
 * Opens an environment for reading. The threads of a process may each have it open; they share the map of its file.
 *
 * @throws Error if it was written by a newer version
 */
export function openEnvironment(options: EnvironmentOptions): Environment {
  const codec = createLmdbCodec();
  const root: RootDatabase<Uint8Array, Uint8Array> = open({ ...rootOptions(options), ...codec });
  const openAll = () => {
    checkSchema(root);
    return new Map(buckets.map((bucket) => [bucket, openBucket(root, bucket, codec)]));
  };
  try {
    return { root, databases: root.transactionSync(openAll) }; // One transaction, so that creating them syncs once.
  } catch (error) {
    void root.close();
    throw error;
  }
}

/** The typings of `openDB` know less options than it takes. */
function openBucket(root: RootDatabase, bucket: Bucket, options: DatabaseOptions & LmdbCodec): BucketDatabase {
  return root.openDB<Uint8Array, Uint8Array>(bucket, options);
}

/** What LMDB says of one database and of the whole environment; its typings leave it open. */
interface Stats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface RootStats extends Stats {
  /** Number of the last page of the file in use. */
  readonly lastPageNumber: number;
  /** The database of free pages. */
  readonly free: Stats;
}

/** Pages that hold the two roots of the environment. */
const metaPages = 2;

/** The sizes of an environment as of its last transaction. */
export function environmentSize({ root, databases }: Environment): BackendSize {
  const stats = root.getStats() as RootStats;
  const trees = [stats, stats.free, ...[...databases.values()].map((database) => database.getStats() as Stats)];
  const pages = trees.reduce((sum, tree) => sum + pagesOf(tree), metaPages);
  return { totalBytes: (stats.lastPageNumber + 1) * stats.pageSize, inUseBytes: pages * stats.pageSize };
}

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Stats): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}
