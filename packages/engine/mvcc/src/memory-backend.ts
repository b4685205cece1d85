/**
 * @module A backend without a disk. What was committed forms its "durable image"; a crash throws away the rest
 * and opens a new backend on that image, as a machine does that lost its power.
 */
import {
  type Backend,
  type BackendEntry,
  type BackendScan,
  type BackendSize,
  type BackendView,
  type Bucket,
  binaryString,
  binaryStringBytes,
  buckets,
  invariant,
} from "@conclave/base";
import { OrderedMap } from "./ordered-map.ts";

/** A backend in memory whose crash can be simulated. */
export interface MemoryBackend extends Backend {
  /**
   * Ends this backend as a crash would and opens another on what was durable.
   *
   * @returns the reopened backend; this one must not be used any more
   */
  crash(): MemoryBackend;
}

/** What a test may decide about a memory backend. */
export interface MemoryBackendOptions {
  /**
   * Called in place of the disk for each commit, which is durable once the promise resolves, and for each step of a
   * replacement. Default: at once. A rejection makes the commit or replacement fail and the backend unusable.
   */
  readonly persist?: () => Promise<void>;
}

type Image = Map<Bucket, OrderedMap<Uint8Array>>;
type ReplacementEntries = AsyncIterable<readonly [Bucket, Uint8Array, Uint8Array]>;

interface Failure {
  readonly error: unknown;
}

interface Operation {
  readonly bucket: Bucket;
  readonly key: string;
  /** Undefined for a deletion. */
  readonly value: Uint8Array | undefined;
}

/** An empty backend in memory. */
export function createMemoryBackend(options: MemoryBackendOptions = {}): MemoryBackend {
  return new InMemoryBackend(emptyImage(), options);
}

class InMemoryBackend implements MemoryBackend {
  #durable: Image;
  /** What views show: the durable image, or while that is being replaced the one before. */
  #viewed: Image;
  #current: Image;
  readonly #options: MemoryBackendOptions;
  #operations: Operation[] = [];
  #bytes = 0;
  #committing: Promise<void> = Promise.resolve();
  #open = true;
  #crashed = false;
  #replacing = false;
  /** Ends the replacement under way. */
  #endReplacement: () => void = () => {};

  constructor(durable: Image, options: MemoryBackendOptions) {
    this.#durable = durable;
    this.#viewed = durable;
    this.#current = copyImage(durable);
    this.#options = options;
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return this.#bucket(bucket).get(binaryString(key));
  }

  *scan(bucket: Bucket, scan: BackendScan = {}): Generator<BackendEntry> {
    yield* scanEntries(this.#bucket(bucket), scan);
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#write({ bucket, key: binaryString(key), value });
    this.#bytes += key.length + value.length;
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#write({ bucket, key: binaryString(key), value: undefined });
    this.#bytes += key.length;
  }

  get pending(): { readonly operations: number; readonly bytes: number } {
    return { operations: this.#operations.length, bytes: this.#bytes };
  }

  commit(): Promise<void> {
    invariant(this.#open, "an open backend commits");
    const operations = this.#operations;
    this.#operations = [];
    this.#bytes = 0;
    this.#committing = this.#committing.then(() => this.#persistTo(this.#durable, operations));
    return this.#committing;
  }

  size(): BackendSize {
    let bytes = 0;
    for (const entries of this.#durable.values())
      entries.scan("", undefined, (key, value) => {
        bytes += key.length + value.length;
        return true;
      });
    return { totalBytes: bytes, inUseBytes: bytes };
  }

  openView(): BackendView {
    invariant(this.#open, "an open backend is viewed");
    let image: Image | undefined = copyImage(this.#viewed);
    const viewed = (bucket: Bucket) => {
      invariant(image !== undefined && this.#open, "an open view is read");
      return bucketOf(image, bucket);
    };
    return {
      get: (bucket, key) => viewed(bucket).get(binaryString(key)),
      *scan(bucket) {
        yield* scanEntries(viewed(bucket), {});
      },
      close: () => {
        image = undefined;
      },
    };
  }

  async replace(entries: ReplacementEntries): Promise<void> {
    invariant(this.#open && !this.#replacing, "an open backend is replaced, one replacement at a time");
    this.#replacing = true;
    this.#operations = [];
    this.#bytes = 0;
    let failure: Failure | undefined;
    this.#committing = this.#committing.then(async () => {
      failure = await this.#replaceContent(entries);
    });
    await this.#committing;
    if (failure !== undefined) throw failure.error;
  }

  async defragment(): Promise<void> {
    // Memory has no gaps to close; the promise keeps the order with commits under way.
    await this.#committing;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#endReplacement();
    await this.#committing.catch(() => {}); // Whoever called commit has been told.
  }

  crash(): MemoryBackend {
    this.#open = false;
    this.#crashed = true;
    this.#endReplacement();
    return new InMemoryBackend(copyImage(this.#durable), this.#options);
  }

  #bucket(bucket: Bucket): OrderedMap<Uint8Array> {
    invariant(this.#open, "an open backend is used");
    return bucketOf(this.#current, bucket);
  }

  #write(operation: Operation): void {
    invariant(!this.#replacing, "nothing is written while the content is replaced");
    const entries = this.#bucket(operation.bucket);
    applyOperation(entries, operation);
    this.#operations.push(operation);
  }

  async #persistTo(image: Image, operations: readonly Operation[]): Promise<void> {
    await this.#options.persist?.();
    if (this.#crashed) return; // This batch did not make it.
    for (const operation of operations) applyOperation(bucketOf(image, operation.bucket), operation);
  }

  /** Empties the durable image and fills it step by step, "meta" at the end; returns the failure of the entries. */
  async #replaceContent(entries: ReplacementEntries): Promise<Failure | undefined> {
    const image = emptyImage();
    await this.#options.persist?.();
    if (!this.#crashed) this.#durable = image;
    const failure = await this.#fill(image, entries);
    this.#viewed = this.#durable;
    this.#current = copyImage(this.#durable);
    this.#replacing = false;
    return failure;
  }

  /** Fills an image; returns the failure of the entries, which alone leaves the backend usable. */
  async #fill(image: Image, entries: ReplacementEntries): Promise<Failure | undefined> {
    const source = entries[Symbol.asyncIterator]();
    const meta: Operation[] = [];
    for (;;) {
      const step = await this.#unlessEnded(readStep(source)).catch((error: unknown): Failure => ({ error }));
      if (!Array.isArray(step)) {
        source.return?.().catch(() => {}); // It may be waiting for ever, and has nothing to say any more.
        return step;
      }
      if (step.length === 0) break;
      meta.push(...step.filter(({ bucket }) => bucket === "meta"));
      await this.#persistTo(
        image,
        step.filter(({ bucket }) => bucket !== "meta"),
      );
    }
    await this.#persistTo(image, meta);
    return undefined;
  }

  /** What a promise resolves to, unless the backend is closed or crashes before. */
  #unlessEnded<T>(promise: Promise<T>): Promise<T> {
    const ended = new Promise<never>((_, reject) => {
      this.#endReplacement = () => reject(new Error("The backend was closed while its content was replaced"));
      if (!this.#open) this.#endReplacement();
    });
    return Promise.race([promise, ended]);
  }
}

/** Entries of a replacement that become durable together. */
const stepEntries = 100;

async function readStep(source: AsyncIterator<readonly [Bucket, Uint8Array, Uint8Array]>): Promise<Operation[]> {
  const step: Operation[] = [];
  while (step.length < stepEntries) {
    const next = await source.next();
    if (next.done === true) break;
    const [bucket, key, value] = next.value;
    step.push({ bucket, key: binaryString(key), value });
  }
  return step;
}

/** Entries copied out of the tree at a time, so that the start of a long scan is cheap. */
const scanChunk = 256;

type StringEntry = readonly [key: string, value: Uint8Array];

function* scanEntries(entries: OrderedMap<Uint8Array>, scan: BackendScan): Generator<BackendEntry> {
  const end = scan.end === undefined ? undefined : binaryString(scan.end);
  if (scan.reverse === true) {
    const all = chunkOf(entries, scanStart(scan), end, Number.POSITIVE_INFINITY);
    yield* all.reverse().map(entryOf);
    return;
  }
  let start: string | undefined = scanStart(scan);
  while (start !== undefined) {
    const chunk = chunkOf(entries, start, end, scanChunk + 1);
    start = chunk[scanChunk]?.[0];
    yield* chunk.slice(0, scanChunk).map(entryOf);
  }
}

function scanStart(scan: BackendScan): string {
  return scan.start === undefined ? "" : binaryString(scan.start);
}

function chunkOf(
  entries: OrderedMap<Uint8Array>,
  start: string,
  end: string | undefined,
  limit: number,
): StringEntry[] {
  const chunk: StringEntry[] = [];
  entries.scan(start, end, (key, value) => {
    chunk.push([key, value]);
    return chunk.length < limit;
  });
  return chunk;
}

function entryOf([key, value]: StringEntry): BackendEntry {
  return [binaryStringBytes(key), value];
}

function applyOperation(entries: OrderedMap<Uint8Array>, operation: Operation): void {
  if (operation.value === undefined) entries.delete(operation.key);
  else entries.set(operation.key, operation.value);
}

function bucketOf(image: Image, bucket: Bucket): OrderedMap<Uint8Array> {
  const entries = image.get(bucket);
  invariant(entries !== undefined, "every bucket exists", bucket);
  return entries;
}

function emptyImage(): Image {
  return new Map(buckets.map((bucket) => [bucket, new OrderedMap<Uint8Array>()]));
}

function copyImage(image: Image): Image {
  const copy = emptyImage();
  for (const [bucket, entries] of image)
    entries.scan("", undefined, (key, value) => {
      bucketOf(copy, bucket).set(key, value);
      return true;
    });
  return copy;
}
