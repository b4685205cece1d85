import type { File } from "./file-system.ts";
import { isZero } from "./is-zero.ts";
import { type LogTail, segmentPath, type WalLocation } from "./log-reader.ts";

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
 * @param file - the segment, open for writing
 * @param reason - what is wrong with the part that is cut off
 */
export async function repairTail(
  { fileSystem, directory }: WalLocation,
  { segment, offset, fileBytes }: LogTail,
  file: File,
  reason: string,
): Promise<WalRepair> {
  const path = segmentPath(directory, segment);
  const brokenCopy = `${path}.broken`;
  await copyFile(file, fileBytes, await fileSystem.open(brokenCopy, { mode: "create" }));
  await fileSystem.syncDirectory(directory);
  await file.truncate(offset);
  await file.sync();
  return { file: path, offset, droppedBytes: fileBytes - offset, reason, brokenCopy };
}

async function copyFile(file: File, fileBytes: number, copy: File): Promise<void> {
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
