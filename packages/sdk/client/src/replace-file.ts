/** @module Files that are whole whenever a process dies: what recipes keep for the next start. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Replaces a file in one step: written beside it, synced, renamed, and the name synced with its directory. Only this user may
 * read it.
 *
 * @param unique - makes the name of the file beside it that of this writer alone; of several the last to finish wins
 * @throws what the file system says; the file is as it was
 */
export async function replaceFile(path: string, text: string, { unique }: { readonly unique: string }): Promise<void> {
  const beside = `${path}.${unique}.tmp`;
  try {
    await writeSynced(beside, text);
    await rename(beside, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    // The error to tell is the one before.
    await rm(beside, { force: true }).catch(() => {});
    throw error;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, "w", 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
