import { dirname } from "node:path";
import type { FileSystem } from "./file-system.ts";
import { listSegments, segmentPath, type WalLocation } from "./log-reader.ts";
import { RecordEncoder } from "./record-encoder.ts";
import { emptyHardState } from "./records.ts";
import { SegmentFile } from "./segment-file.ts";
import { SegmentedWal } from "./segmented-wal.ts";
import type { Wal } from "./wal.ts";
import { toWalError, WalError } from "./wal-error.ts";

/** The size at which a segment ends, in bytes: etcd's. */
export const defaultSegmentBytes: number = 64_000_000;

/** What a new log needs. The parent of its directory must exist. */
export interface CreateWalOptions extends WalLocation {
  /** What every segment starts with: an encoded `etcdserverpb.Metadata` with the ids of member and cluster. */
  readonly metadata: Uint8Array;
  /** The size in bytes at which a segment ends; default 64 000 000 as in etcd, smaller in tests. */
  readonly segmentBytes?: number;
}

/** Whether a directory holds a log. */
export async function walExists(location: WalLocation): Promise<boolean> {
  return (await listSegments(location)).length > 0;
}

/**
 * Creates a log. It is built under the name `<directory>.tmp` and renamed, so a crash leaves all of it or nothing.
 *
 * @throws {@link WalError} `EXISTS` if the directory holds a log, `DISK` if the file system fails
 */
export async function createWal(options: CreateWalOptions): Promise<Wal> {
  const { fileSystem, directory, metadata, segmentBytes = defaultSegmentBytes } = options;
  try {
    if (await walExists(options)) throw new WalError("EXISTS", `There is a log in '${directory}'`);
    const building = `${directory}.tmp`;
    await removeDirectory(fileSystem, building);
    await fileSystem.makeDirectory(building, 0o700);
    const segment = { sequence: 0, index: 0 };
    const encoder = new RecordEncoder();
    encoder.crc();
    encoder.metadata(metadata);
    encoder.snapshot({ index: 0, term: 0 });
    encoder.crc();
    const file = await createFirstSegment(fileSystem, segmentPath(building, segment), encoder, segmentBytes);
    await fileSystem.syncDirectory(building);
    await fileSystem.rename(building, directory);
    await fileSystem.syncDirectory(dirname(directory));
    const head = { segments: [segment], file, crc: encoder.runningCrc, hardState: emptyHardState, lastIndex: 0 };
    return new SegmentedWal({ fileSystem, directory, metadata, segmentBytes, ...head });
  } catch (error) {
    throw toWalError(error, `create a log in '${directory}'`);
  }
}

async function createFirstSegment(
  fileSystem: FileSystem,
  path: string,
  { buffer }: RecordEncoder,
  segmentBytes: number,
): Promise<SegmentFile> {
  const file = await fileSystem.open(path, { mode: "create" });
  try {
    await file.allocate(segmentBytes);
    const segmentFile = new SegmentFile(file, 0, segmentBytes);
    await segmentFile.append(buffer.view(0, buffer.length));
    await segmentFile.sync();
    return segmentFile;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Removes what a crash while creating has left. */
async function removeDirectory(fileSystem: FileSystem, directory: string): Promise<void> {
  if (!(await fileSystem.exists(directory))) return;
  for (const name of await fileSystem.list(directory)) await fileSystem.remove(`${directory}/${name}`);
  await fileSystem.remove(directory);
}
