import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { tryLock } from "fs-native-extensions";
import { MemberError } from "../member-error.ts";

/** The right to use a data directory, held until it is released or the process ends. */
export interface DataDirLock {
  /** Gives the directory free. */
  release(): Promise<void>;
}

/**
 * Takes a directory for this process alone, creating it if need be. The lock is the operating system's, so it
 * is gone with the process however that ends.
 *
 * @throws MemberError `DATA_DIR_UNUSABLE` if it cannot be written, `DATA_DIR_IN_USE` if another process holds it
 */
export async function lockDataDir(directory: string): Promise<DataDirLock> {
  let file: FileHandle;
  try {
    await createDurably(resolve(directory));
    file = await open(`${directory}/lock`, "a", 0o600);
  } catch (error) {
    throw new MemberError(
      "DATA_DIR_UNUSABLE",
      `Cannot use the data directory '${directory}': ${(error as Error).message}`,
      { cause: error },
    );
  }
  if (!tryLock(file.fd)) {
    await file.close();
    throw new MemberError(
      "DATA_DIR_IN_USE",
      `Cannot use the data directory '${directory}': another process is using it`,
    );
  }
  return { release: () => file.close() };
}

/** Creates a directory with what is missing above it, so that all of it is there after a power failure. */
async function createDurably(directory: string): Promise<void> {
  const parent = dirname(directory);
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || parent === directory) throw error;
    // Not left to mkdir's `recursive`: where nothing can be created, as in /proc, that never comes back.
    await createDurably(parent);
    await mkdir(directory, { mode: 0o700 });
  }
  const handle = await open(parent, "r");
  await handle.sync().finally(() => handle.close());
}
