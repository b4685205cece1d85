import { lookup } from "node:dns/promises";
import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { systemScheduler } from "@conclave/base";
import { openLmdbBackend } from "@conclave/store-lmdb";
import { nodeFileSystem } from "@conclave/wal";
import { MemberError } from "../member-error.ts";
import { type RestoreOptions, type RestoreReport, restoreSnapshot } from "./snapshot-restore.ts";

/**
 * Makes the data directory of a new member from a saved snapshot, of Conclave or of etcd.
 *
 * @returns who the member is, once its directory is there and durable
 * @throws MemberError with one line that says what an operator can do
 * @example
 * ```ts
 * await restoreDataDir({
 *   snapshotPath: "backup.db",
 *   dataDir: "restored.etcd",
 *   name: "default",
 *   initialCluster: "default=http://localhost:2380",
 *   initialClusterToken: "etcd-cluster",
 *   initialAdvertisePeerUrls: ["http://localhost:2380"],
 * });
 * ```
 */
export async function restoreDataDir(options: RestoreOptions): Promise<RestoreReport> {
  const { walDir = "" } = options;
  const paths = { dataDir: resolve(options.dataDir), walDir: walDir === "" ? "" : resolve(walDir) };
  try {
    for (const path of Object.values(paths)) if (path !== "") await mkdir(dirname(path), { recursive: true });
    return await restoreSnapshot(
      { ...options, ...paths },
      {
        fileSystem: nodeFileSystem(),
        openBackend: (path) => openLmdbBackend({ path }),
        resolver: {
          resolveHost: async (host) => (await lookup(host, { order: "ipv4first" })).address,
          scheduler: systemScheduler,
        },
      },
    );
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    const message = `Cannot restore in '${options.dataDir}': ${error.message}`;
    throw new MemberError("DATA_DIR_UNUSABLE", message, { cause: error });
  }
}
