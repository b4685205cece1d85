import { emptyBytes } from "@conclave/base";

/** Bytes as a socket gives them, taken in pieces of other sizes. What lies within one chunk is taken without a copy. */
export class ChunkQueue {
  #current: Uint8Array = emptyBytes;
  #at = 0;
  #later: Uint8Array[] = [];
  #length = 0;

  /** Adds what was received; it belongs to the queue from now on. */
  push(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#at < this.#current.length) {
      this.#later.push(chunk);
      return;
    }
    this.#current = plainBytes(chunk);
    this.#at = 0;
  }

  /** The next bytes as a view, or undefined while there are not that many. */
  take(count: number): Uint8Array | undefined {
    if (count > this.#length) return undefined;
    // All is joined at once, and only when a piece can be taken: large pieces are copied once, not for every chunk.
    if (count > this.#current.length - this.#at) this.#join();
    const start = this.#at;
    this.#at += count;
    this.#length -= count;
    return this.#current.subarray(start, this.#at);
  }

  #join(): void {
    const joined = new Uint8Array(this.#length);
    let end = 0;
    for (const chunk of [this.#current.subarray(this.#at), ...this.#later]) {
      joined.set(chunk, end);
      end += chunk.length;
    }
    this.#current = joined;
    this.#at = 0;
    this.#later = [];
  }
}

/** The same bytes, not as a Buffer: whoever gets a view of them may rely on what `slice` does, which there is another. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
