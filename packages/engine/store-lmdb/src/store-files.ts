/**
 * @module What is checked of the files before LMDB gets to see them. Its binding does not survive an environment that
 * fails to open, and what is missing from a mapped file kills the process that reads it; so everything that can be
 * told beforehand is.
 *
 * ```
 *  meta page, one of two; the newer one counts                         little-endian
 *  0         16  18      24      28        48          144         152
 *  | page    |   | flags | magic | version | page size | last page | transaction |
 * ```
 */
import { constants, type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of the lock file for the 126 readers that LMDB has by default. */
const lockFileBytes = 8_272;

const metaFlag = 0x08;
const metaMagic = 0xbeefc0de;
const metaVersion = 2;
/** Where the fields of a meta page that are looked at end. */
const metaBytes = 160;

/** The files of a store. */
export interface StoreFiles {
  readonly data: string;
  readonly lock: string;
  /** Where a defragmentation puts its copy; what a crash leaves there is worthless. */
  readonly copy: string;
}

/** The files of the store in a directory. */
export function storeFiles(path: string): StoreFiles {
  return { data: join(path, "data.mdb"), lock: join(path, "lock.mdb"), copy: join(path, "defragment") };
}

/**
 * Makes the directory if it is missing, removes what an interrupted defragmentation left, and sees to it that LMDB
 * can open the files.
 *
 * @throws Error that says what is wrong with which file
 */
export async function prepareStoreFiles(path: string): Promise<void> {
  const files = storeFiles(path);
  await mkdir(path, { recursive: true, mode: 0o700 });
  await rm(files.copy, { recursive: true, force: true });
  await withFile(files.data, checkDataFile);
  await withFile(files.lock, reserveLockFile);
}

async function withFile(path: string, check: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await check(file);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`, { cause: error });
  } finally {
    await file.close();
  }
}

/** An empty file is a store that is about to be made. */
async function checkDataFile(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const [first, pageBytes] = await readMeta(file, 0);
  const [second] = await readMeta(file, pageBytes);
  const newest = first.transaction > second.transaction ? first : second;
  const bytes = (newest.lastPage + 1n) * BigInt(pageBytes);
  if (BigInt(size) < bytes) throw new Error(`the file is damaged: it has ${size} bytes of ${bytes}`);
}

interface Meta {
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

async function readMeta(file: FileHandle, position: number): Promise<[Meta, pageBytes: number]> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(metaBytes), 0, metaBytes, position);
  const isMeta =
    bytesRead === metaBytes &&
    (buffer.readUInt16LE(18) & metaFlag) !== 0 &&
    buffer.readUInt32LE(24) === metaMagic &&
    (buffer.readUInt32LE(28) & 0xffff) === metaVersion;
  if (!isMeta) throw new Error(`the file is damaged or no store: there is no meta page at ${position}`);
  return [{ lastPage: buffer.readBigUInt64LE(144), transaction: buffer.readBigUInt64LE(152) }, buffer.readUInt32LE(48)];
}

/** LMDB writes the lock file through a map, where a full disk is fatal; here it is an error. */
async function reserveLockFile(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size < lockFileBytes) await file.write(Buffer.alloc(lockFileBytes - size), 0, lockFileBytes - size, size);
}
