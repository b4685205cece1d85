/** @module The disk with instruments: a file system and a store that measure what they do and change nothing of it. */
import type { Backend } from "@conclave/base";
import type { File, FileSystem } from "@conclave/wal";
import { type Instruments, timed } from "./instruments.ts";

/** Which directories are measured. */
export interface MeteredPaths {
  /** Of the log. */
  readonly walDir: string;
  /** Of the member, with snapshots below it. */
  readonly memberDir: string;
}

function meteredLogFile(file: File, { walSync, walWrite, counts }: Instruments): File {
  return {
    ...plainFile(file),
    write: (position, bytes) => {
      counts.walBytes += bytes.length;
      return timed(walWrite, () => file.write(position, bytes));
    },
    dataSync: () => timed(walSync, () => file.dataSync()),
    sync: () => timed(walSync, () => file.sync()),
  };
}

/** A snapshot on its way out is never synced; one that came in is, once, at its end. */
function meteredSnapshotFile(file: File, { snapshotSync, snapshotSave }: Instruments): File {
  const openedMs = performance.now();
  return {
    ...plainFile(file),
    sync: async () => {
      await timed(snapshotSync, () => file.sync());
      snapshotSave.observe((performance.now() - openedMs) / 1000);
    },
  };
}

/** A file's methods, whatever class they come from. */
function plainFile(file: File): File {
  return {
    size: () => file.size(),
    read: (position, length) => file.read(position, length),
    write: (position, bytes) => file.write(position, bytes),
    truncate: (length) => file.truncate(length),
    allocate: (length) => file.allocate(length),
    dataSync: () => file.dataSync(),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}

/** A file system whose log and snapshots are measured. */
export function meteredFileSystem(
  disk: FileSystem,
  { walDir, memberDir }: MeteredPaths,
  instruments: Instruments,
): FileSystem {
  return {
    list: (directory) => disk.list(directory),
    makeDirectory: (path, mode) => disk.makeDirectory(path, mode),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    exists: (path) => disk.exists(path),
    async open(path, options) {
      const file = await disk.open(path, options);
      if (options.mode === "read") return file;
      if (path.startsWith(`${walDir}/`)) return meteredLogFile(file, instruments);
      return path.startsWith(`${memberDir}/snap/`) ? meteredSnapshotFile(file, instruments) : file;
    },
  };
}

/** Measures the rarer work of a store in place: reads and writes, which are the hot path, stay as they are. */
export function meterBackend<B extends Backend>(backend: B, instruments: Instruments): B {
  const { commit, defragment, openView } = backend;
  const { counts } = instruments;
  backend.commit = () => timed(instruments.commit, () => commit.call(backend));
  backend.defragment = async () => {
    counts.defragmenting++;
    await timed(instruments.defragment, () => defragment.call(backend)).finally(() => counts.defragmenting--);
  };
  backend.openView = () => {
    const view = openView.call(backend);
    const { close } = view;
    const startMs = performance.now();
    let isOpen = true;
    counts.openViews++;
    view.close = () => {
      if (isOpen) {
        isOpen = false;
        counts.openViews--;
        instruments.view.observe((performance.now() - startMs) / 1000);
      }
      close.call(view);
    };
    return view;
  };
  return backend;
}
