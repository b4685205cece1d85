/** @module The entries that take the place of a store's content, packed into batches for the writing thread. */
import type { Bucket } from "@conclave/base";
import { Overlay } from "./overlay.ts";

/** What {@link Replacement} is made of. */
export type ReplacementEntries = AsyncIterable<readonly [bucket: Bucket, key: Uint8Array, value: Uint8Array]>;

/** Most entries of a batch: packing it holds up the event loop for a few milliseconds. */
const batchEntries = 2_000;
/** Bytes from which a batch takes no more entries. */
const batchBytes = 2 * 2 ** 20;

/** Reads entries into batches, those of "meta" into one that comes last. Stopped once the entries fail. */
export class Replacement {
  readonly #entries: AsyncIterator<readonly [bucket: Bucket, key: Uint8Array, value: Uint8Array]>;
  readonly #keyBytesMax: number;
  readonly #meta = new Overlay();
  readonly #stopped: Promise<undefined>;
  #resolveStopped: (nothing: undefined) => void = () => {};
  #failure: { readonly error: unknown } | undefined;

  /** @param keyBytesMax - length of the longest key that can be stored */
  constructor(entries: ReplacementEntries, keyBytesMax: number) {
    this.#entries = entries[Symbol.asyncIterator]();
    this.#keyBytesMax = keyBytesMax;
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  /** The next entries outside "meta"; undefined at the end, or if there was a failure. */
  async nextBatch(): Promise<Overlay | undefined> {
    if (this.#failure !== undefined) return undefined;
    try {
      return await Promise.race([this.#pack(), this.#stopped]);
    } catch (error) {
      this.stop(error);
      return undefined;
    }
  }

  /** The entries of "meta", once there is no other batch. */
  get meta(): Overlay {
    return this.#meta;
  }

  /** Ends it, even while it waits for an entry; `error` is why. */
  stop(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#resolveStopped(undefined);
  }

  /** Lets go of the entries, of which it may not have read all. */
  release(): void {
    // They may be waiting for ever, and have nothing to say any more.
    this.#entries.return?.().catch(() => {});
  }

  /** Whether it was ended before its last entry. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws why it was ended, if it was */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #pack(): Promise<Overlay | undefined> {
    const batch = new Overlay();
    while (batch.operations < batchEntries && batch.bytes < batchBytes && !this.hasFailed) {
      const next = await this.#entries.next();
      if (next.done === true) break;
      const [bucket, key, value] = next.value;
      this.#checkKey(bucket, key);
      const target = bucket === "meta" ? this.#meta : batch;
      target.set(bucket, key, value);
    }
    return batch.operations === 0 ? undefined : batch;
  }

  #checkKey(bucket: Bucket, { length }: Uint8Array): void {
    if (length > 0 && length <= this.#keyBytesMax) return;
    throw new RangeError(
      `Cannot store a key of ${length} bytes in "${bucket}": it must have 1 to ${this.#keyBytesMax}`,
    );
  }
}
