/**
 * @module The directory `member/snap`: databases on their way out to followers, and those that came from a leader.
 * A received one gets its name, `<index in hex>.snap.db` as in etcd, once it is durable; from then on a start finds it
 * and finishes what a crash interrupted.
 */
import { dirname } from "node:path";
import { type Backend, type BackendView, invariant } from "@conclave/base";
import type { OutgoingDatabase } from "@conclave/peer";
import { readDatabase, writeDatabase } from "@conclave/snapshot";
import type { File, FileSystem } from "@conclave/wal";

const suffix = ".snap.db";
const temporarySuffix = ".tmp";
const directoryMode = 0o700;
/** Bytes read at a time on the way out. */
const chunkBytes = 64 * 1024;

/** The snapshot files of one member. */
export class SnapshotFiles {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  #temporaries = 0;

  /** @param directory - `<data-dir>/member/snap` */
  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /** Creates the directory and removes what a crash left behind: unfinished files, and databases up to `applied`. */
  async prepare(applied: number): Promise<void> {
    const fileSystem = this.#fileSystem;
    if (!(await fileSystem.exists(this.#directory))) {
      await fileSystem.makeDirectory(this.#directory, directoryMode);
      await fileSystem.syncDirectory(dirname(this.#directory));
    }
    for (const name of await fileSystem.list(this.#directory)) {
      if (name.endsWith(temporarySuffix) || isUpTo(name, applied))
        await fileSystem.remove(`${this.#directory}/${name}`);
    }
  }

  /** Whether the database of a snapshot is there. */
  has(index: number): Promise<boolean> {
    return this.#fileSystem.exists(this.#pathOf(index));
  }

  /**
   * Copies a state out into a file, which is removed when it is released.
   *
   * @param pause - lets others work between two slices
   */
  async export(view: BackendView, pause: () => Promise<void>): Promise<OutgoingDatabase> {
    const path = this.#temporaryPath();
    const file = await this.#fileSystem.open(path, { mode: "create" });
    const release = async (): Promise<void> => {
      await file.close();
      await this.#fileSystem.remove(path);
    };
    try {
      const { sizeBytes } = await writeDatabase({ view, file, pause });
      return { sizeBytes, read: () => chunksOf(file, sizeBytes), release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Writes a database as it comes in and gives it its name once all of it is durable. */
  async receive(index: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.#temporaryPath();
    const fileSystem = this.#fileSystem;
    try {
      await this.#write(path, content);
      await fileSystem.rename(path, this.#pathOf(index));
      await fileSystem.syncDirectory(this.#directory);
    } catch (error) {
      await fileSystem.remove(path).catch(() => {});
      throw error;
    }
  }

  /** Replaces the content of a store by a database that was received. */
  async restore(index: number, backend: Backend): Promise<void> {
    const file = await this.#fileSystem.open(this.#pathOf(index), { mode: "read" });
    try {
      await backend.replace(entriesOf(file));
    } finally {
      await file.close();
    }
  }

  /** Removes the databases of snapshots up to `index`. */
  async removeUpTo(index: number): Promise<void> {
    for (const name of await this.#fileSystem.list(this.#directory))
      if (isUpTo(name, index)) await this.#fileSystem.remove(`${this.#directory}/${name}`);
  }

  async #write(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const file = await this.#fileSystem.open(path, { mode: "create" });
    let position = 0;
    try {
      for await (const chunk of content) {
        await file.write(position, chunk);
        position += chunk.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** A name for a file that is not worth keeping after a crash. */
  #temporaryPath(): string {
    this.#temporaries += 1;
    return `${this.#directory}/${this.#temporaries}${temporarySuffix}`;
  }

  #pathOf(index: number): string {
    invariant(index > 0, "a snapshot that was received is of a state after the first entry", index);
    return `${this.#directory}/${index.toString(16).padStart(16, "0")}${suffix}`;
  }
}

async function* chunksOf(file: File, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < sizeBytes; position += chunkBytes)
    yield await file.read(position, Math.min(chunkBytes, sizeBytes - position));
}

async function* entriesOf(file: File): AsyncGenerator<Parameters<Backend["put"]>> {
  for await (const { bucket, key, value } of readDatabase(file)) yield [bucket, key, value];
}

function isUpTo(name: string, index: number): boolean {
  return /^[0-9a-f]{16}\.snap\.db$/.test(name) && Number.parseInt(name, 16) <= index;
}
