import type { File, FileSystem } from "./file-system.ts";
import { SegmentFile } from "./segment-file.ts";

/** A file that waits to become a segment. */
export interface SpareFile {
  /** The empty file. */
  readonly file: SegmentFile;
  /** Where it is now. */
  readonly path: string;
}

/** Names of files that were prepared. They hold nothing: a start may remove those of a crashed process. */
export const spareFileName: RegExp = /^[01]\.tmp$/;

/** Prepares the next segment as `0.tmp` or `1.tmp` (in turns) while the current one is still being filled. */
export class NextSegment {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #segmentBytes: number;
  #prepared: Promise<SpareFile> | undefined;
  #count = 0;

  constructor(fileSystem: FileSystem, directory: string, segmentBytes: number) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
  }

  /** Starts preparing in the background, unless that has happened. A failure shows when the file is taken. */
  prepare(): void {
    this.#preparing().catch(() => {}); // Whoever takes the file gets the same rejection.
  }

  /** The next file; prepares it now if that has not happened. */
  async take(): Promise<SpareFile> {
    const spare = await this.#preparing();
    this.#prepared = undefined;
    return spare;
  }

  /** Removes what was prepared and not taken. */
  async discard(): Promise<void> {
    const prepared = await this.#prepared?.catch(() => undefined);
    if (prepared === undefined) return;
    await prepared.file.close();
    await this.#fileSystem.remove(prepared.path);
  }

  #preparing(): Promise<SpareFile> {
    this.#prepared ??= this.#create();
    return this.#prepared;
  }

  async #create(): Promise<SpareFile> {
    const path = `${this.#directory}/${this.#count++ % 2}.tmp`;
    const file: File = await this.#fileSystem.open(path, { mode: "create" });
    try {
      await file.allocate(this.#segmentBytes);
    } catch (error) {
      await file.close();
      throw error;
    }
    return { file: new SegmentFile(file, 0, this.#segmentBytes), path };
  }
}
