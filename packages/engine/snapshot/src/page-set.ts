/** A set of pages: a bit for each. */
export class PageSet {
  readonly #bits: Uint8Array;

  /** @param pages - ids are below it */
  constructor(pages: number) {
    this.#bits = new Uint8Array(Math.ceil(pages / 8));
  }

  /** Adds a page; says whether it was not there before. */
  add(page: number): boolean {
    const at = Math.floor(page / 8);
    const bit = 1 << (page % 8);
    const bits = this.#bits[at] ?? 0;
    this.#bits[at] = bits | bit;
    return (bits & bit) === 0;
  }
}
