import { emptyBytes } from "@conclave/base";
import type { File } from "./file-system.ts";

/** How much of a file is read at once. */
const windowBytes = 1024 * 1024;
/** By so much the part that is read ahead laps over the one before, to hold the record at the border as a whole. */
const overlapBytes = 64 * 1024;

/** A part of a file. */
interface Part {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * The part of a file that is in memory; moves forward with its reader, and reads ahead meanwhile. Bytes that were in it
 * stay as they are when it has moved on.
 */
export class ReadWindow {
  readonly #file: File;
  #part: Part = { start: 0, bytes: emptyBytes };
  /** The part that comes next, if it is being read. */
  #ahead: Promise<Part | undefined> | undefined;
  /** Whether what was read ahead has been of use so far; of larger records than the overlap it is not. */
  #readsAhead = true;
  /** The length of the file. */
  readonly fileBytes: number;

  private constructor(file: File, fileBytes: number) {
    this.#file = file;
    this.fileBytes = fileBytes;
  }

  /** A window on a file, which must not change meanwhile. */
  static async of(file: File): Promise<ReadWindow> {
    return new ReadWindow(file, await file.size());
  }

  /** The bytes in memory, from {@link ReadWindow.at} on those of the file. */
  get bytes(): Uint8Array {
    return this.#part.bytes;
  }

  /** Where a position of the file is in {@link ReadWindow.bytes}. */
  at(position: number): number {
    return position - this.#part.start;
  }

  /** Whether so many bytes from a position are in memory. */
  holds(position: number, length: number): boolean {
    return covers(this.#part, position, length);
  }

  /** Moves on, to hold at least so many bytes from a position, fewer only at the end of the file; it may begin before. */
  async load(position: number, length: number): Promise<void> {
    const ahead = await this.#ahead;
    const isOfUse = ahead !== undefined && covers(ahead, position, length);
    if (this.#ahead !== undefined) this.#readsAhead = isOfUse;
    this.#part = isOfUse ? ahead : await this.#read(position, Math.max(length, windowBytes));
    this.#ahead = this.#readsAhead ? this.#readAhead() : undefined;
  }

  /** Resolves once nothing is being read any more, so that the file can be closed. */
  async settled(): Promise<void> {
    await this.#ahead;
  }

  /** Undefined if there is nothing, or if it could not be read: whoever needs it will be told why. */
  #readAhead(): Promise<Part | undefined> | undefined {
    const end = this.#part.start + this.#part.bytes.length;
    if (end >= this.fileBytes) return undefined;
    return this.#read(Math.max(0, end - overlapBytes), windowBytes).catch(() => undefined);
  }

  async #read(start: number, length: number): Promise<Part> {
    return { start, bytes: await this.#file.read(start, Math.min(length, this.fileBytes - start)) };
  }
}

function covers({ start, bytes }: Part, position: number, length: number): boolean {
  return position >= start && position + length <= start + bytes.length;
}
