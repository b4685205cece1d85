import { createHash } from "node:crypto";
import { equalBytes } from "@conclave/base";
import type { DatabaseSource } from "./node-input.ts";

/** Bytes of the SHA-256 behind the database in a file that was saved from a snapshot stream. */
export const checksumBytes = 32;
/** Databases are whole pages, so that what is left over tells a checksum. */
const sectorBytes = 512;
const chunkBytes = 1024 * 1024;

/**
 * What the checksum of a saved snapshot says.
 *
 * - `missing`: the file ends with the database, as one does that was copied out of a data directory
 * - `valid`, `wrong`: there is one, and the database is, or is not, as it was sent
 */
export type ChecksumState = "missing" | "valid" | "wrong";

/** Compares a saved snapshot with the checksum behind it. */
export async function checkSnapshotChecksum(file: DatabaseSource): Promise<ChecksumState> {
  const size = await file.size();
  if (size % sectorBytes !== checksumBytes) return "missing";
  const end = size - checksumBytes;
  const hash = createHash("sha256");
  for (let at = 0; at < end; at += chunkBytes) hash.update(await file.read(at, Math.min(chunkBytes, end - at)));
  return equalBytes(hash.digest(), await file.read(end, checksumBytes)) ? "valid" : "wrong";
}
