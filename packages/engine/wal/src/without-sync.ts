import type { File, FileSystem } from "./file-system.ts";

/** The calls of a file system that make something durable. */
export type SyncCall = "dataSync" | "sync" | "syncDirectory";

/**
 * A file system of which some calls do nothing. With all of them skipped it is fast and a power failure loses acknowledged
 * writes, which is what `--unsafe-no-fsync` asks for. With one skipped it is a program whose author had forgotten it: a
 * test of durability that still passes tests nothing.
 *
 * @param skipped - the calls that do nothing; default: all
 */
export function withoutSync(
  fileSystem: FileSystem,
  skipped: readonly SyncCall[] = ["dataSync", "sync", "syncDirectory"],
): FileSystem {
  const nothing = async (): Promise<void> => {};
  return {
    list: (directory) => fileSystem.list(directory),
    makeDirectory: (path, mode) => fileSystem.makeDirectory(path, mode),
    rename: (from, to) => fileSystem.rename(from, to),
    remove: (path) => fileSystem.remove(path),
    exists: (path) => fileSystem.exists(path),
    syncDirectory: skipped.includes("syncDirectory") ? nothing : (path) => fileSystem.syncDirectory(path),
    open: async (path, options) => {
      const file: File = await fileSystem.open(path, options);
      return {
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        write: (position, bytes) => file.write(position, bytes),
        truncate: (length) => file.truncate(length),
        allocate: (length) => file.allocate(length),
        close: () => file.close(),
        dataSync: skipped.includes("dataSync") ? nothing : () => file.dataSync(),
        sync: skipped.includes("sync") ? nothing : () => file.sync(),
      };
    },
  };
}
