/**
 * @module The last set that was good, on disk: what a process that starts while the store is out of reach begins with. The
 * file is replaced in one step (written beside, synced, renamed), so that it is whole whenever a process dies.
 */
import { readFile } from "node:fs/promises";
import { ConclaveError, replaceFile } from "@conclave/client";
import { z } from "zod";

/** An instance in the file. */
export interface KeptInstance {
  /** Its key. */
  readonly key: string;
  /** The instance, not yet checked. */
  readonly instance: unknown;
}

/** What the file holds. */
export interface KeptSet {
  /** Which instances: the keys and patterns of the set. A file is only read by a set of the same. */
  readonly of: string;
  /** The revision the set was of. */
  readonly revision: number;
  /** When it was saved, in milliseconds since 1970. For people only. */
  readonly savedAtMs: number;
  /** The instances. */
  readonly instances: readonly KeptInstance[];
}

const formatVersion = 1;
const keptSchema = z.object({
  format: z.literal(formatVersion),
  of: z.string(),
  revision: z.number().int().min(0),
  savedAtMs: z.number(),
  instances: z.array(z.object({ key: z.string(), instance: z.unknown() })),
});

/**
 * Reads a file.
 *
 * @returns what it holds; undefined if there is none
 * @throws ConclaveError `DATA_LOSS` if it cannot be read or holds anything else than the last known set of these
 */
export async function readKeptSet(path: string, of: string): Promise<KeptSet | undefined> {
  try {
    const kept = keptSchema.parse(JSON.parse(await readFile(path, "utf8")));
    if (kept.of !== of) throw new Error(`it is of ${JSON.stringify(kept.of)}, not of ${JSON.stringify(of)}`);
    return kept;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw fileError("read", path, cause);
  }
}

/**
 * Replaces a file.
 *
 * @param unique - makes the name of the file it is written to first that of this process alone
 * @throws ConclaveError `DATA_LOSS` if it cannot be written; the file is as it was
 */
export async function writeKeptSet(path: string, set: KeptSet, unique: string): Promise<void> {
  try {
    await replaceFile(path, JSON.stringify({ format: formatVersion, ...set }), { unique });
  } catch (cause) {
    throw fileError("write", path, cause);
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}

function fileError(what: string, path: string, cause: unknown): ConclaveError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ConclaveError("DATA_LOSS", `Cannot ${what} the last known set in ${path}: ${reason}`, { cause });
}
