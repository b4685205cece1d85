import type { DatabaseSource } from "../node-input.ts";
import type { DatabaseSink } from "../page-output.ts";

/** A file in memory. */
export class MemoryFile implements DatabaseSource, DatabaseSink {
  #bytes: Buffer<ArrayBufferLike>;
  #length: number;

  /** @param bytes - what it holds; default: nothing */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = Buffer.from(bytes);
    this.#length = bytes.length;
  }

  /** What it holds. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  async size(): Promise<number> {
    return this.#length;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    return Uint8Array.from(this.bytes.subarray(position, position + length));
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    const end = position + bytes.length;
    if (end > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(end + 1_000_000)]);
    this.#bytes.set(bytes, position);
    this.#length = Math.max(this.#length, end);
  }
}
