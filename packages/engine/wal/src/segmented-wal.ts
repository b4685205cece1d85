/**
 * @module The log while it is written. Saves wait in a queue; one loop encodes all that wait into one buffer, writes
 * it at once and syncs once, so saves that overlap share the disk's latency (group commit).
 *
 * What is written between two syncs starts with a checksum record, the batch mark: whoever reads it knows that all
 * before it was durable when it was written, so damage there is no tear of a crash. Heads of segments end in one.
 *
 * ```
 * crc metadata state mark | mark entry entry state | mark entry | mark state entry ...     "|": a sync
 * ```
 */
import { InvariantError, invariant } from "@conclave/base";
import type { Entry, HardState } from "@conclave/raft";
import type { FileSystem } from "./file-system.ts";
import { NextSegment } from "./next-segment.ts";
import { RecordEncoder } from "./record-encoder.ts";
import { isEmptyHardState, type WalSnapshot } from "./records.ts";
import type { SegmentFile } from "./segment-file.ts";
import { formatSegmentName, type SegmentName } from "./segment-name.ts";
import type { Wal } from "./wal.ts";
import { toWalError, WalError } from "./wal-error.ts";

/** Records that need no sync are written when so many bytes of them have come together. */
const unsyncedBytesMax = 128 * 1024;
/** A batch takes no further save when it has reached so many bytes. */
const batchBytesMax = 1024 * 1024;

/** What a log that was just created or read knows. */
export interface WalState {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly metadata: Uint8Array;
  readonly segmentBytes: number;
  /** The segments that are there, in order; the last is written to. */
  readonly segments: readonly SegmentName[];
  /** The file of the last segment. */
  readonly file: SegmentFile;
  /** The running checksum at its end. */
  readonly crc: number;
  readonly hardState: HardState;
  /** The last entry or snapshot that was saved. */
  readonly lastIndex: number;
}

type Change =
  | { readonly kind: "save"; readonly hardState: HardState | undefined; readonly entries: readonly Entry[] }
  | { readonly kind: "snapshot"; readonly snapshot: WalSnapshot }
  | { readonly kind: "flush" | "mark" };

interface Waiting {
  readonly change: Change;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** {@link Wal} on a directory of segments. */
export class SegmentedWal implements Wal {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #metadata: Uint8Array;
  readonly #segmentBytes: number;
  readonly #encoder: RecordEncoder;
  readonly #next: NextSegment;
  readonly #segments: SegmentName[];
  #file: SegmentFile;
  #hardState: HardState;
  #lastIndex: number;
  /** The newest snapshot recorded in this life; 0 if there is none. */
  #snapshotIndex = 0;
  readonly #queue: Waiting[] = [];
  #draining = false;
  #drained: Promise<void> = Promise.resolve();
  #releasing: Promise<void> = Promise.resolve();
  #failure: WalError | InvariantError | undefined;
  #closing: Promise<void> | undefined;
  #writtenBytes = 0;

  constructor(state: WalState) {
    this.#fileSystem = state.fileSystem;
    this.#directory = state.directory;
    this.#metadata = state.metadata;
    this.#segmentBytes = state.segmentBytes;
    this.#encoder = new RecordEncoder(state.crc);
    this.#next = new NextSegment(state.fileSystem, state.directory, state.segmentBytes);
    this.#segments = [...state.segments];
    this.#file = state.file;
    this.#hardState = state.hardState;
    this.#lastIndex = state.lastIndex;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  save(hardState: HardState | undefined, entries: readonly Entry[]): Promise<void> {
    return this.#enqueue({ kind: "save", hardState, entries });
  }

  async saveSnapshot(snapshot: WalSnapshot): Promise<void> {
    if (snapshot.index > 0 && snapshot.confState === undefined)
      throw new TypeError(`Cannot save a snapshot as its membership is missing: index ${snapshot.index}`);
    await this.#enqueue({ kind: "snapshot", snapshot });
  }

  release(index: number): Promise<void> {
    const released = this.#releasing.then(() => this.#removeBelow(index));
    this.#releasing = released.catch(() => {}); // The caller of this one is told; the next one tries again.
    return released;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      // Whoever saved before a failure has been told of it.
      if (this.#failure === undefined) await this.#enqueue({ kind: "flush" });
      // All is durable. It does not need the mark that says so, which a full disk may have no room for, and which is
      // left out where nothing was written: whoever opens a log only to refuse it leaves it as it was.
      if (this.#writtenBytes > 0) await this.#enqueue({ kind: "mark" }).catch(() => {});
    } finally {
      await this.#drained;
      await this.#releasing;
      // All is durable by now or lost for good: a failure here changes nothing, and opening removes spare files.
      await Promise.allSettled([this.#next.discard(), this.#file.close()]);
    }
  }

  #enqueue(change: Change): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closing !== undefined && !isClosing(change))
      return Promise.reject(new WalError("CLOSED", `The log in '${this.#directory}' was closed`));
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject });
      if (this.#draining) return;
      this.#draining = true;
      // Calls made in the same turn as this one find their way into the same batch.
      queueMicrotask(() => {
        this.#drained = this.#drain();
      });
    });
  }

  /** Runs until nothing waits. Never rejects: a failure goes to all who wait, and to all who come later. */
  async #drain(): Promise<void> {
    let batch: Waiting[] = [];
    try {
      while (this.#queue.length > 0) {
        batch = [];
        await this.#commit(batch);
        for (const { resolve } of batch) resolve();
        await this.#maybeCut();
      }
    } catch (error) {
      const failure =
        error instanceof InvariantError ? error : toWalError(error, `write the log in '${this.#directory}'`);
      this.#failure = failure;
      for (const { reject } of batch.concat(this.#queue.splice(0))) reject(failure);
    }
    this.#draining = false;
  }

  /** Takes what waits, up to the size of a batch, and makes it durable if any of it needs to be. */
  async #commit(batch: Waiting[]): Promise<void> {
    const { buffer } = this.#encoder;
    let mustSync = false;
    while (buffer.length < batchBytesMax) {
      const waiting = this.#queue.shift();
      if (waiting === undefined) break;
      batch.push(waiting);
      if (this.#encode(waiting.change)) mustSync = true;
    }
    if (mustSync || buffer.length >= unsyncedBytesMax) await this.#write();
    if (mustSync) await this.#file.dataSync();
  }

  /** Starts a batch with its mark, unless records wait or were written that no sync has made durable yet. */
  #maybeMark(): void {
    if (this.#encoder.buffer.length === 0 && this.#file.isDurable) this.#encoder.crc();
  }

  /** Writes what was encoded to a file, by default the current one. */
  async #write(file: SegmentFile = this.#file): Promise<void> {
    const { buffer } = this.#encoder;
    if (buffer.length === 0) return;
    await file.append(buffer.view(0, buffer.length));
    this.#writtenBytes += buffer.length;
    buffer.clear();
  }

  /** Appends a change to the buffer; returns whether it must be durable before it is answered. */
  #encode(change: Change): boolean {
    switch (change.kind) {
      case "save":
        return this.#encodeSave(change.hardState, change.entries);
      case "snapshot":
        this.#maybeMark();
        this.#encoder.snapshot(change.snapshot);
        this.#snapshotIndex = Math.max(this.#snapshotIndex, change.snapshot.index);
        this.#lastIndex = Math.max(this.#lastIndex, change.snapshot.index);
        return true;
      case "mark":
        this.#maybeMark();
        return true;
      case "flush":
        return true;
    }
  }

  #encodeSave(hardState: HardState | undefined, entries: readonly Entry[]): boolean {
    const hasState = hardState !== undefined && !isEmptyHardState(hardState);
    if (entries.length > 0 || hasState) this.#maybeMark();
    for (const entry of entries) this.#encoder.entry(entry);
    this.#lastIndex = entries.at(-1)?.index ?? this.#lastIndex;
    if (!hasState) return entries.length > 0;
    const { term, vote, commit } = this.#hardState;
    invariant(hardState.term >= term, "the term never goes back", hardState.term, term);
    this.#encoder.state(hardState);
    this.#hardState = hardState;
    const confirmsSnapshot = commit < this.#snapshotIndex && hardState.commit >= this.#snapshotIndex;
    return entries.length > 0 || hardState.term !== term || hardState.vote !== vote || confirmsSnapshot;
  }

  async #maybeCut(): Promise<void> {
    const { offset } = this.#file;
    if (offset >= this.#segmentBytes) await this.#cut();
    else if (offset >= this.#segmentBytes / 2) this.#next.prepare();
  }

  /** Ends the segment and starts the next one, which gets its name only when its head is durable. */
  async #cut(): Promise<void> {
    await this.#write();
    await this.#file.finish();
    const spare = await this.#next.take();
    const segment = { sequence: (this.#segments.at(-1)?.sequence ?? -1) + 1, index: this.#lastIndex + 1 };
    try {
      await this.#writeHead(spare.file);
      await this.#fileSystem.rename(spare.path, this.#path(formatSegmentName(segment)));
      await this.#fileSystem.syncDirectory(this.#directory);
    } catch (error) {
      await spare.file.close();
      throw error;
    }
    await this.#file.close();
    this.#file = spare.file;
    this.#segments.push(segment);
  }

  /** Writes what every segment starts with, so that reading may start there. */
  async #writeHead(file: SegmentFile): Promise<void> {
    this.#encoder.crc();
    this.#encoder.metadata(this.#metadata);
    if (!isEmptyHardState(this.#hardState)) this.#encoder.state(this.#hardState);
    this.#encoder.crc();
    await this.#write(file);
    await file.sync();
  }

  /** Removes the oldest first, so that what a crash leaves is still contiguous or ends in a gap that is not read. */
  async #removeBelow(index: number): Promise<void> {
    const needed = this.#segments.findLastIndex((segment) => segment.index <= index);
    try {
      for (const segment of this.#segments.slice(0, Math.max(needed, 0))) {
        await this.#fileSystem.remove(this.#path(formatSegmentName(segment)));
        this.#segments.shift();
      }
      if (needed > 0) await this.#fileSystem.syncDirectory(this.#directory);
    } catch (error) {
      throw toWalError(error, `remove old segments in '${this.#directory}'`);
    }
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

/** Whether a change belongs to closing, after which no other is taken. */
function isClosing({ kind }: Change): boolean {
  return kind === "flush" || kind === "mark";
}
