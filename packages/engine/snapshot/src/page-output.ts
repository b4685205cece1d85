import { pageBytes } from "./format.ts";

/** Where a database is written to; a file of the log's file system fits. */
export interface DatabaseSink {
  /** Writes all the bytes, which do not change until it is done. */
  write(position: number, bytes: Uint8Array): Promise<void>;
}

/** Bytes that are written at a time; a node that is larger goes alone. */
const chunkBytes = 256 * 1024;

interface Chunk {
  readonly position: number;
  readonly bytes: Uint8Array;
  used: number;
}

/** Pages of a file from some page on, one behind the other. They are collected and written in larger pieces. */
export class PageOutput {
  readonly #file: DatabaseSink;
  #nextPage: number;
  #chunks: Chunk[] = [];

  /** @param firstPage - where the first one goes */
  constructor(file: DatabaseSink, firstPage: number) {
    this.#file = file;
    this.#nextPage = firstPage;
  }

  /** The page behind the last one. */
  get nextPage(): number {
    return this.#nextPage;
  }

  /** Room for a node of so many bytes, zeroed and rounded up to whole pages, and its id; for the caller to fill. */
  allocate(bytes: number): { readonly id: number; readonly page: Uint8Array } {
    const pages = Math.ceil(bytes / pageBytes);
    const id = this.#nextPage;
    this.#nextPage += pages;
    const size = pages * pageBytes;
    const chunk = this.#chunkWithRoom(id, size);
    const page = chunk.bytes.subarray(chunk.used, chunk.used + size);
    chunk.used += size;
    return { id, page };
  }

  /** Whether enough has been collected to be worth writing. */
  get isFull(): boolean {
    return this.#chunks.length > 1;
  }

  /** Writes what has been collected. */
  async flush(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    for (const { position, bytes, used } of chunks) await this.#file.write(position, bytes.subarray(0, used));
  }

  #chunkWithRoom(id: number, size: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.used + size <= last.bytes.length) return last;
    const chunk = { position: id * pageBytes, bytes: new Uint8Array(Math.max(size, chunkBytes)), used: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }
}
