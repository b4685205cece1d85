import type { File, FileSystem } from "./file-system.ts";
import { isZero } from "./segment-reader.ts";

/** What opening a log has cut off. */
export interface WalRepair {
  /** The segment. */
  readonly file: string;
  /** Where it was cut: the end of the last good record. */
  readonly offset: number;
  /** How many bytes were cut off, unused ones included. */
  readonly droppedBytes: number;
  /** What was wrong with them. */
  readonly reason: string;
  /** A copy of the segment as it was. */
  readonly brokenCopy: string;
}

const copyBytes = 1024 * 1024;

/**
 * Cuts a segment off after its last good record, having copied it to `<name>.broken` first.
 *
 * @returns the path of the copy
 */
export async function repairTail(
  fileSystem: FileSystem,
  directory: string,
  path: string,
  file: File,
  offset: number,
  fileBytes: number,
): Promise<string> {
  const brokenCopy = `${path}.broken`;
  await copyFile(fileSystem, file, fileBytes, brokenCopy);
  await fileSystem.syncDirectory(directory);
  await file.truncate(offset);
  await file.sync();
  return brokenCopy;
}

async function copyFile(fileSystem: FileSystem, file: File, fileBytes: number, path: string): Promise<void> {
  const copy = await fileSystem.open(path, { mode: "create" });
  try {
    await copy.allocate(fileBytes);
    for (let position = 0; position < fileBytes; position += copyBytes) {
      const bytes = await file.read(position, copyBytes);
      // The unused part is a hole, and stays one.
      if (!isZero(bytes)) await copy.write(position, bytes);
    }
    await copy.sync();
  } finally {
    await copy.close();
  }
}
