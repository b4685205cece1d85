const blockBytes = 4096;

/** The content of a file of which only the written blocks take memory. What was never written reads as zeros. */
export class SparseBytes {
  readonly #blocks: Map<number, Uint8Array>;
  #size: number;

  private constructor(blocks: Map<number, Uint8Array>, size: number) {
    this.#blocks = blocks;
    this.#size = size;
  }

  /** No bytes. */
  static empty(): SparseBytes {
    return new SparseBytes(new Map(), 0);
  }

  /** The length in bytes. */
  get size(): number {
    return this.#size;
  }

  /** The bytes that are taken by blocks. */
  get allocatedBytes(): number {
    return this.#blocks.size * blockBytes;
  }

  /** A copy that shares nothing. */
  copy(): SparseBytes {
    return new SparseBytes(new Map([...this.#blocks].map(([block, bytes]) => [block, bytes.slice()])), this.#size);
  }

  /** A copy of up to `length` bytes from a position; fewer at the end. */
  read(position: number, length: number): Uint8Array {
    const result = new Uint8Array(Math.max(0, Math.min(length, this.#size - position)));
    this.#eachPart(position, result.length, (block, start, end, at) => {
      const bytes = this.#blocks.get(block);
      if (bytes !== undefined) result.set(bytes.subarray(start, end), at);
    });
    return result;
  }

  /** Writes bytes, growing the file if they reach past its end. */
  write(position: number, source: Uint8Array): void {
    this.#eachPart(position, source.length, (block, start, end, at) => {
      const bytes = this.#blocks.get(block) ?? new Uint8Array(blockBytes);
      bytes.set(source.subarray(at, at + end - start), start);
      this.#blocks.set(block, bytes);
    });
    if (source.length > 0) this.#size = Math.max(this.#size, position + source.length);
  }

  /** Cuts the content off, or extends it by zeros. */
  truncate(length: number): void {
    const whole = Math.floor(length / blockBytes);
    for (const block of this.#blocks.keys())
      if (block > whole || (block === whole && length % blockBytes === 0)) this.#blocks.delete(block);
    this.#blocks.get(whole)?.fill(0, length % blockBytes);
    this.#size = length;
  }

  /** How many of the bytes can be written when only so many may be newly allocated. */
  writableWithin(position: number, length: number, freeBytes: number): number {
    let free = freeBytes;
    let writable = 0;
    this.#eachPart(position, length, (block, start, end, at) => {
      if (writable < at) return;
      if (!this.#blocks.has(block)) {
        if (free < blockBytes) return;
        free -= blockBytes;
      }
      writable = at + end - start;
    });
    return writable;
  }

  /** Calls back for each block of a range: which one, the range `[start, end)` in it, and where in the whole that is. */
  #eachPart(position: number, length: number, visit: (block: number, start: number, end: number, at: number) => void) {
    for (let at = 0; at < length; ) {
      const start = (position + at) % blockBytes;
      const end = Math.min(blockBytes, start + length - at);
      visit(Math.floor((position + at) / blockBytes), start, end, at);
      at += end - start;
    }
  }
}
