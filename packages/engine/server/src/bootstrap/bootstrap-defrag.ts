import type { Backend } from "@conclave/base";
import { openLmdbBackend } from "@conclave/store-lmdb";
import type { MemberConfig } from "../config.ts";
import type { Log } from "../log.ts";

const megabyte = 1024 * 1024;

/** Opens a store, and gives space back to the file system first if there is as much to win as the operator asks for. */
export async function openDefragmented(
  path: string,
  { config, log }: { readonly config: Pick<MemberConfig, "bootstrapDefragThresholdMegabytes">; readonly log: Log },
): Promise<Backend> {
  const backend = await openLmdbBackend({ path });
  const thresholdBytes = config.bootstrapDefragThresholdMegabytes * megabyte;
  const { totalBytes, inUseBytes } = backend.size();
  if (thresholdBytes === 0 || totalBytes - inUseBytes < thresholdBytes) return backend;
  await backend.defragment();
  log.info("defragmented the store", { "bytes-before": totalBytes, "bytes-after": backend.size().totalBytes });
  return backend;
}
