import type { File, FileSystem } from "@conclave/wal";

async function nothing(): Promise<void> {}

function withoutFileSync(file: File): File {
  return {
    size: () => file.size(),
    read: (position, length) => file.read(position, length),
    write: (position, bytes) => file.write(position, bytes),
    truncate: (length) => file.truncate(length),
    allocate: (length) => file.allocate(length),
    close: () => file.close(),
    dataSync: nothing,
    sync: nothing,
  };
}

/** A file system that never syncs, for `--unsafe-no-fsync`: fast, and a power failure loses acknowledged writes. */
export function withoutSync(fileSystem: FileSystem): FileSystem {
  return {
    list: (directory) => fileSystem.list(directory),
    makeDirectory: (path, mode) => fileSystem.makeDirectory(path, mode),
    rename: (from, to) => fileSystem.rename(from, to),
    remove: (path) => fileSystem.remove(path),
    exists: (path) => fileSystem.exists(path),
    open: async (path, options) => withoutFileSync(await fileSystem.open(path, options)),
    syncDirectory: nothing,
  };
}
