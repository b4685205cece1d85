import { emptyBytes } from "@conclave/base";
import type { File } from "./file-system.ts";

/** How much of a file is read at once. */
const windowBytes = 1024 * 1024;

/** The part of a file that is in memory; moves forward with its reader. */
export class ReadWindow {
  readonly #file: File;
  #bytes: Uint8Array = emptyBytes;
  #start = 0;
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

  /** The bytes in memory, valid until the window moves. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Where a position of the file is in {@link ReadWindow.bytes}. */
  at(position: number): number {
    return position - this.#start;
  }

  /** Whether so many bytes from a position are in memory. */
  holds(position: number, length: number): boolean {
    return position >= this.#start && position + length <= this.#start + this.#bytes.length;
  }

  /** Moves to a position and reads at least so many bytes from there, fewer only at the end of the file. */
  async load(position: number, length: number): Promise<void> {
    const wanted = Math.min(Math.max(length, windowBytes), this.fileBytes - position);
    this.#bytes = await this.#file.read(position, wanted);
    this.#start = position;
  }
}
