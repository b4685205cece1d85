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
import {
  type Backend,
  type BackendEntry,
  type BackendScan,
  type BackendSize,
  type BackendView,
  type Bucket,
  binaryString,
  invariant,
} from "@conclave/base";
import { type Environment, type EnvironmentOptions, environmentSize, openEnvironment } from "./environment.ts";
import { LmdbView, OpenViews } from "./lmdb-view.ts";
import { mergeScan } from "./merge-scan.ts";
import { mergeWrites, Overlay } from "./overlay.ts";
import { type ReadSource, readRange, readValue } from "./reader.ts";
import { Replacement, type ReplacementEntries } from "./replacement.ts";
import { StoreError } from "./store-error.ts";
import { prepareStoreFiles, storeFiles } from "./store-files.ts";
import { Writer } from "./writer.ts";

/** Where and how to open a store. */
export interface LmdbBackendOptions {
  /** Directory of the store; created if missing. Nobody else may have it open: that is the caller's to ensure. */
  readonly path: string;
  /**
   * Address space to reserve, in bytes; default 64 GiB. It costs no memory. A store that outgrows it is mapped anew,
   * which holds up the process for a moment.
   */
  readonly mapSizeBytes?: number;
}

/** What the port promises; LMDB takes a little more. */
const keyBytesMax = 1_900;
const mapSizeBytesDefault = 64 * 2 ** 30;

/**
 * Opens the store in a directory.
 *
 * @throws {@link StoreError} `OPEN` if the directory cannot be used or does not hold a store
 */
export async function openLmdbBackend(options: LmdbBackendOptions): Promise<Backend> {
  const { path, mapSizeBytes = mapSizeBytesDefault } = options;
  try {
    await prepareStoreFiles(path);
    return await openBackend({ path, mapSizeBytes });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError("OPEN", `Cannot open the store in ${path}: ${reason}`, { cause: error });
  }
}

async function openBackend(options: EnvironmentOptions): Promise<Backend> {
  const writer = new Writer(options);
  try {
    await writer.request({ kind: "open" }); // First, for it creates what is missing.
    return new LmdbBackend(writer, options);
  } catch (error) {
    await writer.stop();
    throw error;
  }
}

class LmdbBackend implements Backend {
  readonly #writer: Writer;
  readonly #options: EnvironmentOptions;
  #environment: Environment;
  /** Asking LMDB costs more than a put, and every put asks; kept until a commit or a copy changes it. */
  #size: BackendSize | undefined;
  #active = new Overlay();
  /** What commits under way write, the newest first; rarely more than one. */
  #frozen: readonly Overlay[] = [];
  /** The last task on the disk; the next one waits for it. Once one has failed, all later ones fail alike. */
  #tail: Promise<void> = Promise.resolve();
  readonly #views = new OpenViews();
  /** The replacement of all content that has been asked for, until it is done. */
  #replacement: Replacement | undefined;
  /** What is read while the content is replaced: the one before. */
  #replaced: LmdbView | undefined;
  #isOpen = true;

  constructor(writer: Writer, options: EnvironmentOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#environment = openEnvironment(options);
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen();
    const write = this.#buffered(bucket, key);
    return write === undefined ? readValue(this.#source, bucket, key) : (write ?? undefined);
  }

  scan(bucket: Bucket, scan: BackendScan = {}): Iterable<BackendEntry> {
    this.#checkOpen();
    if (scan.end?.length === 0) return [];
    const start = scan.start === undefined ? "" : binaryString(scan.start);
    const end = scan.end === undefined ? undefined : binaryString(scan.end);
    const ranges = [this.#active, ...this.#frozen].map((overlay) => overlay.range(bucket, start, end));
    const stored = readRange(() => this.#source, bucket, scan);
    return mergeScan(stored, ranges.reduce(mergeWrites), scan.reverse === true);
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#checkWritable();
    invariant(key.length <= keyBytesMax, "a key has at most 1900 bytes", key.length);
    this.#active.set(bucket, key, value);
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#checkWritable();
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
    this.#size ??= environmentSize(this.#environment);
    return this.#size;
  }

  openView(): BackendView {
    this.#checkOpen();
    return this.#views.add(this.#replaced?.clone() ?? LmdbView.open(this.#environment));
  }

  async replace(entries: ReplacementEntries): Promise<void> {
    this.#checkWritable();
    const replacement = new Replacement(entries, keyBytesMax);
    const dropped = this.#active;
    this.#replacement = replacement;
    this.#frozen = [dropped, ...this.#frozen]; // Readable still, but nothing will write it.
    this.#active = new Overlay();
    try {
      await this.#enqueue(() => this.#replaceContent(replacement, dropped));
    } finally {
      this.#replacement = undefined;
      replacement.release();
    }
    replacement.throwFailure();
  }

  async defragment(): Promise<void> {
    this.#checkOpen();
    while (!(await this.#defragmentWithoutViews())) await this.#views.allClosed();
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#replacement?.stop(closedError());
    this.#views.close();
    await this.#tail.catch(() => {}); // Whoever asked for it has been told.
    await this.#writer.request({ kind: "close" }).catch(() => {}); // A writer that has died holds nothing open.
    await this.#writer.stop();
    await this.#environment.root.close();
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw closedError();
  }

  #checkWritable(): void {
    this.#checkOpen();
    invariant(this.#replacement === undefined, "nothing is written while the content is replaced");
  }

  get #source(): ReadSource {
    return this.#replaced?.source ?? { environment: this.#environment, transaction: undefined };
  }

  /** The newest write to a key that LMDB may not hold yet: null for a deletion, undefined for none. */
  #buffered(bucket: Bucket, bytes: Uint8Array): Uint8Array | null | undefined {
    if (this.#active.operations === 0 && this.#frozen.length === 0) return undefined;
    const key = binaryString(bytes);
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
    this.#size = undefined;
    this.#frozen = this.#frozen.filter((overlay) => overlay !== batch);
  }

  /** Empties the store, then fills it in transactions of which the last one writes "meta". */
  async #replaceContent(replacement: Replacement, dropped: Overlay): Promise<void> {
    const replaced = LmdbView.open(this.#environment);
    this.#replaced = replaced;
    try {
      await this.#writer.request({ kind: "clear" });
      for (;;) {
        const batch = await replacement.nextBatch();
        if (batch === undefined) break;
        await this.#writer.request({ kind: "write", batch: batch.toBatch() });
      }
      if (!replacement.hasFailed) await this.#writer.request({ kind: "write", batch: replacement.meta.toBatch() });
    } finally {
      this.#replaced = undefined;
      replaced.close();
      this.#environment.root.resetReadTxn();
      this.#size = undefined;
      this.#frozen = this.#frozen.filter((overlay) => overlay !== dropped);
    }
  }

  /** Defragments unless a view is open, which could not be read after it; says whether it did. */
  async #defragmentWithoutViews(): Promise<boolean> {
    this.#checkOpen();
    let failure: unknown;
    let isDone = false;
    await this.#enqueue(async () => {
      if (this.#views.size > 0) return;
      // A copy that fails, say for want of space, harms nothing; once it takes the place of the file all must succeed.
      const copied = await this.#copy().catch((error: unknown) => {
        failure = error;
      });
      if (copied !== undefined) isDone = await this.#replaceFile(copied);
    });
    if (failure !== undefined) throw failure;
    return isDone;
  }

  /** Copies what is live into a file beside the store's; says which. */
  async #copy(): Promise<string> {
    const { copy } = storeFiles(this.#options.path);
    await rm(copy, { recursive: true, force: true });
    await mkdir(copy);
    await this.#writer.request({ kind: "copy", path: copy });
    const copied = storeFiles(copy).data;
    await syncPath(copied);
    return copied;
  }

  /** Puts a copy in the place of the file unless a view is open; says whether. Writes are buffered meanwhile. */
  async #replaceFile(copied: string): Promise<boolean> {
    const { path } = this.#options;
    const { data, copy } = storeFiles(path);
    await this.#writer.request({ kind: "close" });
    const isFree = this.#views.size === 0;
    if (isFree) await this.#swap(copied, data);
    await syncPath(path);
    await this.#writer.request({ kind: "open" });
    await rm(copy, { recursive: true });
    return isFree;
  }

  /** Replaces the file in one turn of the event loop: closing takes effect at once, so no read falls between. */
  #swap(from: string, to: string): Promise<void> {
    const closed = this.#environment.root.close();
    try {
      renameSync(from, to);
    } finally {
      this.#environment = openEnvironment(this.#options);
      this.#size = undefined;
    }
    return closed;
  }
}

function closedError(): StoreError {
  return new StoreError("CLOSED", "Cannot use the store as it has been closed");
}

async function syncPath(path: string): Promise<void> {
  const file = await openFile(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
