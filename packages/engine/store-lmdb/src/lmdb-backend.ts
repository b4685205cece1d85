/**
 * @module The durable backend: LMDB under an overlay of the writes that it does not hold yet.
 *
 * ```
 *   put, delete ──▶ active overlay ──commit──▶ frozen overlay ──writing thread──▶ LMDB
 *   get, scan  ◀── active, else frozen, else LMDB
 * ```
 * A commit freezes the active overlay and sends it to the writing thread as one transaction. Until that is on
 * the disk reads find its writes in the frozen overlay; afterwards they find them in LMDB.
 */
import { renameSync } from "node:fs";
import { mkdir, open as openFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type Backend,
  type BackendEntry,
  type BackendScan,
  type BackendSize,
  type Bucket,
  binaryString,
} from "@conclave/base";
import { type Environment, type EnvironmentOptions, environmentSize, openEnvironment } from "./environment.ts";
import { mergeScan } from "./merge-scan.ts";
import { mergeWrites, Overlay } from "./overlay.ts";
import { readRange, readValue } from "./reader.ts";
import { StoreError } from "./store-error.ts";
import { Writer } from "./writer.ts";

/** Where and how to open a store. */
export interface LmdbBackendOptions {
  /** Directory of the store; created if missing. Nobody else may have it open: that is the caller's to ensure. */
  readonly path: string;
  /** Address space to reserve, in bytes, which bounds the size of the store; default 64 GiB. It costs no memory. */
  readonly mapSizeBytes?: number;
}

const mapSizeBytesDefault = 64 * 2 ** 30;

/**
 * Opens the store in a directory.
 *
 * @throws {@link StoreError} `OPEN` if the directory cannot be used or does not hold a store
 */
export async function openLmdbBackend(options: LmdbBackendOptions): Promise<Backend> {
  const { path, mapSizeBytes = mapSizeBytesDefault } = options;
  const environmentOptions = { path, mapSizeBytes };
  const writer = new Writer(environmentOptions);
  try {
    await rm(copyPath(path), { recursive: true, force: true });
    await writer.request({ kind: "open" });
    return new LmdbBackend(writer, environmentOptions);
  } catch (error) {
    await writer.stop();
    throw new StoreError("OPEN", `Cannot open the store in ${path}: ${messageOf(error)}`, { cause: error });
  }
}

class LmdbBackend implements Backend {
  readonly #writer: Writer;
  readonly #options: EnvironmentOptions;
  #environment: Environment;
  #active = new Overlay();
  /** What commits under way write, the newest first; rarely more than one. */
  #frozen: readonly Overlay[] = [];
  /** The last task on the disk; the next one waits for it. Once one has failed, all later ones fail alike. */
  #tail: Promise<void> = Promise.resolve();
  #isOpen = true;

  constructor(writer: Writer, options: EnvironmentOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#environment = openEnvironment(options);
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen();
    const name = binaryString(key);
    const write = this.#buffered(bucket, name);
    return write === undefined ? readValue(this.#environment, bucket, key) : (write ?? undefined);
  }

  scan(bucket: Bucket, scan: BackendScan = {}): Iterable<BackendEntry> {
    this.#checkOpen();
    const start = scan.start === undefined ? "" : binaryString(scan.start);
    const end = scan.end === undefined ? undefined : binaryString(scan.end);
    const ranges = [this.#active, ...this.#frozen].map((overlay) => overlay.range(bucket, start, end));
    const stored = readRange(() => this.#environment, bucket, scan);
    return mergeScan(stored, ranges.reduce(mergeWrites), scan.reverse === true);
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#checkOpen();
    this.#active.set(bucket, key, value);
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#checkOpen();
    this.#active.set(bucket, key, null);
  }

  get pending(): { readonly operations: number; readonly bytes: number } {
    return { operations: this.#active.operations, bytes: this.#active.bytes };
  }

  commit(): Promise<void> {
    this.#checkOpen();
    const batch = this.#active;
    if (batch.operations === 0) return this.#enqueue(async () => {});
    this.#frozen = [batch, ...this.#frozen];
    this.#active = new Overlay();
    return this.#enqueue(() => this.#persist(batch));
  }

  size(): BackendSize {
    this.#checkOpen();
    return environmentSize(this.#environment);
  }

  defragment(): Promise<void> {
    this.#checkOpen();
    return this.#enqueue(() => this.#replaceByCopy());
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#tail.catch(() => {}); // Whoever asked for it has been told.
    await this.#writer.request({ kind: "close" }).catch(() => {}); // A writer that has died holds nothing open.
    await this.#writer.stop();
    await this.#environment.root.close();
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new StoreError("CLOSED", "Cannot use the store as it has been closed");
  }

  /** The newest write to a key that LMDB may not hold yet: null for a deletion, undefined for none. */
  #buffered(bucket: Bucket, key: string): Uint8Array | null | undefined {
    const write = this.#active.get(bucket, key);
    if (write !== undefined) return write;
    for (const overlay of this.#frozen) {
      const frozen = overlay.get(bucket, key);
      if (frozen !== undefined) return frozen;
    }
    return undefined;
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(task);
    return this.#tail;
  }

  async #persist(batch: Overlay): Promise<void> {
    await this.#writer.request({ kind: "write", batch: batch.toBatch() });
    // Reads must see the new pages before the overlay that stood in for them goes.
    this.#environment.root.resetReadTxn();
    this.#frozen = this.#frozen.filter((overlay) => overlay !== batch);
  }

  /** Copies what is live and puts the copy in the place of the file. Writes are buffered meanwhile. */
  async #replaceByCopy(): Promise<void> {
    const { path } = this.#options;
    const copy = copyPath(path);
    await rm(copy, { recursive: true, force: true });
    await mkdir(copy);
    await this.#writer.request({ kind: "copy", path: copy });
    await syncPath(join(copy, dataFile));
    await this.#writer.request({ kind: "close" });
    await this.#swap(join(copy, dataFile), join(path, dataFile));
    await syncPath(path);
    await this.#writer.request({ kind: "open" });
    await rm(copy, { recursive: true });
  }

  /** Replaces the file in one turn of the event loop: closing takes effect at once, so no read falls between. */
  #swap(from: string, to: string): Promise<void> {
    const closed = this.#environment.root.close();
    try {
      renameSync(from, to);
    } finally {
      this.#environment = openEnvironment(this.#options);
    }
    return closed;
  }
}

const dataFile = "data.mdb";

/** Where a defragmentation puts its copy; what a crash leaves there is worthless. */
function copyPath(path: string): string {
  return join(path, "defragment");
}

async function syncPath(path: string): Promise<void> {
  const file = await openFile(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
