import type { ConclaveError } from "../conclave-error.ts";

/** A bounded queue between one producer that never waits and one consumer that does. */
export class BatchQueue<Item> {
  readonly #sizeOf: (item: Item) => number;
  readonly #items: Item[] = [];
  #size = 0;
  #end: { readonly error: ConclaveError | undefined } | undefined;
  #wake: (() => void) | undefined;

  /** @param sizeOf - what an item counts for */
  constructor(sizeOf: (item: Item) => number) {
    this.#sizeOf = sizeOf;
  }

  /** What the items in the queue count for together. */
  get size(): number {
    return this.#size;
  }

  /** How many items are in the queue. */
  get length(): number {
    return this.#items.length;
  }

  /** Adds an item; ignored after the end. */
  push(item: Item): void {
    if (this.#end !== undefined) return;
    this.#items.push(item);
    this.#size += this.#sizeOf(item);
    this.#wake?.();
  }

  /**
   * Puts fewer items in the place of the last ones.
   *
   * @param from - the first of them, counted from the head of the queue
   * @param merge - makes the new ones of the old ones
   */
  replaceFrom(from: number, merge: (items: readonly Item[]) => readonly Item[]): void {
    const merged = merge(this.#items.splice(from));
    this.#items.push(...merged);
    this.#size = this.#items.reduce((size, item) => size + this.#sizeOf(item), 0);
  }

  /** The place of the last item that something is true of, counted from the head; -1 if there is none. */
  findLastIndex(predicate: (item: Item) => boolean): number {
    return this.#items.findLastIndex(predicate);
  }

  /** Nothing follows. What is in the queue can still be taken, unless it is dropped. */
  end(error: ConclaveError | undefined, options: { readonly drop: boolean } = { drop: false }): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (options.drop) {
      this.#items.length = 0;
      this.#size = 0;
    }
    this.#wake?.();
  }

  /**
   * Takes the next item, waiting for it.
   *
   * @returns the item, or undefined at the end
   * @throws the error that the queue ended with
   */
  async next(): Promise<Item | undefined> {
    while (this.#items.length === 0 && this.#end === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const item = this.#items.shift();
    if (item !== undefined) this.#size -= this.#sizeOf(item);
    else if (this.#end?.error !== undefined) throw this.#end.error;
    return item;
  }
}
