/**
 * @module A file system in memory that keeps apart what was written and what was synced, for files and for the names
 * in directories, and can lose the difference as a power failure does.
 */
import type { Random, Scheduler } from "@conclave/base";
import type { File, FileSystem, OpenMode } from "@conclave/wal";
import {
  applyChanges,
  type Directory,
  directoryAfterCrash,
  emptyDirectory,
  isDirectory,
  makeDurable,
  type NameChange,
  type Node,
} from "./simulated-directory.ts";
import { SimulatedFile, type Tear } from "./simulated-file.ts";

/** The calls that take time. */
export type DiskCall = "read" | "write" | "sync";

/** What a simulated disk is made of. */
export interface SimulatedDiskOptions {
  /** Decides what a power failure tears. */
  readonly random: Random;
  /** Lets calls take time, with `latencyMs`; default: they take none. */
  readonly scheduler?: Scheduler;
  /** How long a call takes, in ms; default: 0. Needs `scheduler`. */
  readonly latencyMs?: (call: DiskCall) => number;
}

/** A disk to crash and to break. */
export interface SimulatedDisk extends FileSystem {
  /**
   * Cuts the power: every call on this disk fails from now on, those under way included.
   *
   * @returns the disk as it is when the power is back
   */
  crash(options: { readonly tear: Tear }): SimulatedDisk;
  /**
   * Makes the next sync of a file or directory fail with `EIO`. What it should have made durable is lost.
   *
   * @returns takes it back, if there was no sync yet
   */
  failNextSync(): () => void;
  /** Makes writes fail with `ENOSPC` once so many more bytes, in blocks of 4096, are taken. */
  limitFreeBytes(bytes: number): void;
  /** How many calls there were. */
  readonly calls: Readonly<Record<DiskCall, number>>;
}

/** Creates an empty disk, which has only the directory `/`. */
export function simulatedDisk(options: SimulatedDiskOptions): SimulatedDisk {
  return new MemoryDisk(options, emptyDirectory());
}

class MemoryDisk implements SimulatedDisk {
  readonly #options: SimulatedDiskOptions;
  readonly #root: Directory;
  /** Changes of names that no sync has made durable yet, in order; those of one element happen together. */
  #unsynced: (readonly NameChange[])[] = [];
  #powered = true;
  #failSync = false;
  #freeBytes = Number.POSITIVE_INFINITY;
  readonly calls: Record<DiskCall, number> = { read: 0, write: 0, sync: 0 };

  constructor(options: SimulatedDiskOptions, root: Directory) {
    this.#options = options;
    this.#root = root;
  }

  crash({ tear }: { readonly tear: Tear }): SimulatedDisk {
    this.#powered = false;
    const { random } = this.#options;
    const survivors =
      tear === "drop" ? 0 : tear === "keep" ? this.#unsynced.length : random.below(this.#unsynced.length + 1);
    for (const changes of this.#unsynced.slice(0, survivors)) makeDurable(changes);
    return new MemoryDisk(this.#options, directoryAfterCrash(this.#root, tear, random));
  }

  failNextSync(): () => void {
    this.#failSync = true;
    return () => {
      this.#failSync = false;
    };
  }

  limitFreeBytes(bytes: number): void {
    this.#freeBytes = bytes;
  }

  async list(path: string): Promise<string[]> {
    await this.call("read");
    return [...this.#directory(path).entries.keys()];
  }

  async makeDirectory(path: string): Promise<void> {
    await this.call("write");
    const { directory, name } = this.#parent(path);
    if (directory.entries.has(name)) throw diskError("EEXIST", path);
    this.#change([{ directory, name, target: emptyDirectory() }]);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.call("write");
    const source = this.#parent(from);
    const target = this.#parent(to);
    const moved = source.directory.entries.get(source.name);
    if (moved === undefined) throw diskError("ENOENT", from);
    const replaced = target.directory.entries.get(target.name);
    if (replaced === moved) return;
    if (replaced !== undefined) assertReplaceable(moved, replaced, to);
    this.#change([
      { ...source, target: undefined },
      { ...target, target: moved },
    ]);
    this.#release(replaced);
  }

  async remove(path: string): Promise<void> {
    await this.call("write");
    const { directory, name } = this.#parent(path);
    const removed = directory.entries.get(name);
    if (removed === undefined) throw diskError("ENOENT", path);
    if (isDirectory(removed) && removed.entries.size > 0) throw diskError("ENOTEMPTY", path);
    this.#change([{ directory, name, target: undefined }]);
    this.#release(removed);
  }

  async syncDirectory(path: string): Promise<void> {
    const directory = this.#directory(path);
    const covered = this.#unsynced.filter((changes) => changes.some((change) => change.directory === directory));
    await this.call("sync");
    this.#unsynced = this.#unsynced.filter((changes) => !covered.includes(changes));
    this.#maybeFailSync();
    for (const changes of covered) makeDurable(changes);
  }

  async exists(path: string): Promise<boolean> {
    await this.call("read");
    return this.#find(path) !== undefined;
  }

  async open(path: string, { mode }: { readonly mode: OpenMode }): Promise<File> {
    await this.call("read");
    const found = this.#find(path);
    if (found !== undefined && isDirectory(found)) throw diskError("EISDIR", path);
    if (mode === "create") return new OpenFile(this, this.#create(path, found), true);
    if (found === undefined) throw diskError("ENOENT", path);
    return new OpenFile(this, found, mode === "write");
  }

  /** Counts a call and lets its time pass. */
  async call(call: DiskCall): Promise<void> {
    this.calls[call]++;
    const { scheduler, latencyMs = () => 0 } = this.#options;
    const delayMs = latencyMs(call);
    if (scheduler !== undefined && delayMs > 0)
      await new Promise<void>((resolve) => void scheduler.after(delayMs, resolve));
    if (!this.#powered) throw diskError("EIO", "the power is gone");
  }

  /** Writes to a file as far as there is space. */
  write(file: SimulatedFile, position: number, bytes: Uint8Array): void {
    const writable = file.content.writableWithin(position, bytes.length, this.#freeBytes);
    const before = file.content.allocatedBytes;
    if (writable > 0) file.write(position, bytes.subarray(0, writable));
    this.#freeBytes -= file.content.allocatedBytes - before;
    if (writable < bytes.length) throw diskError("ENOSPC", "write");
  }

  /** Cuts a file off or extends it; its blocks past the end are free again. */
  truncate(file: SimulatedFile, length: number): void {
    const before = file.content.allocatedBytes;
    file.truncate(length);
    this.#freeBytes += before - file.content.allocatedBytes;
  }

  /** Makes durable what was written to a file before the call. */
  async sync(file: SimulatedFile): Promise<void> {
    const changes = file.unsyncedChanges;
    await this.call("sync");
    try {
      this.#maybeFailSync();
    } catch (error) {
      file.forgetUnsynced();
      throw error;
    }
    file.sync(changes);
  }

  #maybeFailSync(): void {
    if (!this.#failSync) return;
    this.#failSync = false;
    throw diskError("EIO", "sync");
  }

  #create(path: string, found: SimulatedFile | undefined): SimulatedFile {
    if (found !== undefined) {
      this.truncate(found, 0);
      return found;
    }
    const file = new SimulatedFile();
    this.#change([{ ...this.#parent(path), target: file }]);
    return file;
  }

  #change(changes: readonly NameChange[]): void {
    applyChanges(changes);
    this.#unsynced.push(changes);
  }

  #release(removed: Node | undefined): void {
    if (removed !== undefined && !isDirectory(removed)) this.#freeBytes += removed.content.allocatedBytes;
  }

  #find(path: string): Node | undefined {
    let found: Node | undefined = this.#root;
    for (const name of namesOf(path)) {
      if (found === undefined) return undefined;
      if (!isDirectory(found)) throw diskError("ENOTDIR", path);
      found = found.entries.get(name);
    }
    return found;
  }

  #directory(path: string): Directory {
    const found = this.#find(path);
    if (found === undefined) throw diskError("ENOENT", path);
    if (!isDirectory(found)) throw diskError("ENOTDIR", path);
    return found;
  }

  #parent(path: string): { directory: Directory; name: string } {
    const names = namesOf(path);
    const name = names.pop();
    if (name === undefined) throw diskError("EBUSY", path);
    return { directory: this.#directory(`/${names.join("/")}`), name };
  }
}

/** A file as one opener has it. */
class OpenFile implements File {
  readonly #disk: MemoryDisk;
  readonly #file: SimulatedFile;
  readonly #writable: boolean;
  #open = true;

  constructor(disk: MemoryDisk, file: SimulatedFile, writable: boolean) {
    this.#disk = disk;
    this.#file = file;
    this.#writable = writable;
  }

  async size(): Promise<number> {
    await this.#call("read");
    return this.#file.content.size;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    await this.#call("read");
    return this.#file.content.read(position, length);
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    this.#assertWritable();
    this.#disk.write(this.#file, position, bytes);
    await this.#call("write");
  }

  async truncate(length: number): Promise<void> {
    this.#assertWritable();
    this.#disk.truncate(this.#file, length);
    await this.#call("write");
  }

  async allocate(length: number): Promise<void> {
    if (this.#file.content.size < length) await this.truncate(length);
  }

  dataSync(): Promise<void> {
    return this.sync();
  }

  async sync(): Promise<void> {
    this.#assertOpen();
    await this.#disk.sync(this.#file);
  }

  async close(): Promise<void> {
    this.#assertOpen();
    this.#open = false;
  }

  async #call(call: DiskCall): Promise<void> {
    this.#assertOpen();
    await this.#disk.call(call);
  }

  #assertOpen(): void {
    if (!this.#open) throw diskError("EBADF", "closed file");
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (!this.#writable) throw diskError("EBADF", "file opened for reading");
  }
}

function namesOf(path: string): string[] {
  if (!path.startsWith("/")) throw diskError("EINVAL", path);
  return path.split("/").filter((name) => name !== "");
}

function assertReplaceable(moved: Node, replaced: Node, path: string): void {
  if (isDirectory(replaced)) {
    if (!isDirectory(moved)) throw diskError("EISDIR", path);
    if (replaced.entries.size > 0) throw diskError("ENOTEMPTY", path);
  } else if (isDirectory(moved)) throw diskError("ENOTDIR", path);
}

/** An error as Node gives it. */
function diskError(code: string, subject: string): Error {
  return Object.assign(new Error(`${code}: '${subject}'`), { code });
}
