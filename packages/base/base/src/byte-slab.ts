/** Bytes of one slab; what is larger than a quarter of it gets an array of its own. */
const slabBytes = 64 * 1024;
const ownArrayFrom = slabBytes / 4;

/**
 * Hands out small byte arrays cut from larger ones. An array of its own costs V8 an allocation outside the heap
 * and a tracked object, several times as much as cutting a view. A slab lives until the last array cut from it
 * is let go, so it is meant for arrays that live about equally long, such as those of one commit.
 */
export class ByteSlab {
  #slab = new Uint8Array(0);
  #used = 0;

  /** An array of so many zero bytes that nobody else holds. */
  take(length: number): Uint8Array {
    if (length >= ownArrayFrom) return new Uint8Array(length);
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used = start + length;
    return this.#slab.subarray(start, this.#used);
  }
}
