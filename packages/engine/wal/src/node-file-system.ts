import { fdatasyncSync, writeSync } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rmdir, unlink } from "node:fs/promises";
import type { Clock } from "@conclave/base";
import type { File, FileSystem, OpenMode } from "./file-system.ts";
import { SyncPolicy } from "./sync-policy.ts";

/** What the file system of the machine may be told. */
export interface NodeFileSystemOptions {
  /** Measures the calls, to run them where they disturb least; default: `performance.now()`. */
  readonly clock?: Pick<Clock, "monotonicMs">;
  /** Is told how long each data sync took, in ms; default: nobody is. */
  readonly onDataSync?: (durationMs: number) => void;
}

const flags: Readonly<Record<OpenMode, string>> = { read: "r", write: "r+", create: "w+" };
const ownerOnly = 0o600;
/** Longer writes always go through the thread pool: copying them alone takes long. */
const directBytesMax = 1024 * 1024;

/** The file system of the machine. */
export function nodeFileSystem(options: NodeFileSystemOptions = {}): FileSystem {
  const { clock = { monotonicMs: () => performance.now() }, onDataSync = () => {} } = options;
  // Writes end in the page cache and are fast where syncs are not, so each kind is judged by itself.
  const policies = { write: new SyncPolicy(clock), dataSync: new SyncPolicy(clock) };
  return {
    list: (directory) => readdir(directory),
    makeDirectory: (path, mode) => mkdir(path, { mode }),
    rename: (from, to) => rename(from, to),
    remove,
    syncDirectory,
    exists,
    open: async (path, { mode }) => new NodeFile(await open(path, flags[mode], ownerOnly), policies, onDataSync),
  };
}

async function remove(path: string): Promise<void> {
  const status = await lstat(path);
  await (status.isDirectory() ? rmdir(path) : unlink(path));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

type Policies = Readonly<Record<"write" | "dataSync", SyncPolicy>>;

/** A file whose writes and data syncs run on the main thread while the disk is fast. */
class NodeFile implements File {
  readonly #handle: FileHandle;
  readonly #policies: Policies;
  readonly #onDataSync: (durationMs: number) => void;

  constructor(handle: FileHandle, policies: Policies, onDataSync: (durationMs: number) => void) {
    this.#handle = handle;
    this.#policies = policies;
    this.#onDataSync = onDataSync;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    // Memory of its own, as it may live long, and not zeroed, as it is filled or cut.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    const pooled = () => this.#writePooled(position, bytes);
    if (bytes.length > directBytesMax) await pooled();
    else await this.#policies.write.run(() => this.#writeNow(position, bytes), pooled);
  }

  async truncate(length: number): Promise<void> {
    await this.#handle.truncate(length);
  }

  async allocate(length: number): Promise<void> {
    if ((await this.size()) < length) await this.#handle.truncate(length);
  }

  async dataSync(): Promise<void> {
    const durationMs = await this.#policies.dataSync.run(
      () => fdatasyncSync(this.#handle.fd),
      () => this.#handle.datasync(),
    );
    this.#onDataSync(durationMs);
  }

  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #writeNow(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#handle.fd, bytes, done, bytes.length - done, position + done);
  }

  async #writePooled(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }
}
