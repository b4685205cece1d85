import type { FileSystem } from "@conclave/wal";

/** Removes a file or a directory with all that is in it; nothing happens if it is not there. */
export async function removeTree(fileSystem: FileSystem, path: string): Promise<void> {
  if (!(await fileSystem.exists(path))) return;
  for (const name of await namesIn(fileSystem, path)) await removeTree(fileSystem, `${path}/${name}`);
  await fileSystem.remove(path);
}

async function namesIn(fileSystem: FileSystem, path: string): Promise<readonly string[]> {
  try {
    return await fileSystem.list(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return [];
    throw error;
  }
}
