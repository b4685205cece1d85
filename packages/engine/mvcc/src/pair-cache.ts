import { ByteSlab } from "@conclave/base";
import type { Revision } from "./revision.ts";

/** Bytes that each of two generations keeps. */
const generationBytes = 8 * 1024 * 1024;
/** A pair larger than this is quickly read, measured by what sending it takes. */
const pairBytesMax = 64 * 1024;
/** What keeping a pair takes beside its bytes. */
const overheadBytes = 128;
/** A key of the cache is a revision and its place in the transaction, of which most have fewer than this. */
const subsMax = 2 ** 11;
const mainMax = 2 ** 42;

/** Pairs that were read at about the same time, and are let go together with the memory they share. */
class Generation {
  readonly pairs = new Map<number, Uint8Array>();
  readonly slab = new ByteSlab();
  bytes = 0;

  add(key: number, stored: Uint8Array): void {
    const copy = this.slab.take(stored.length);
    copy.set(stored);
    this.pairs.set(key, copy);
    this.bytes += stored.length + overheadBytes;
  }
}

/**
 * The pairs that were read last, as they are stored. What a revision has stored never changes, so nothing is ever updated;
 * what is compacted is not asked for any more. Two generations come close to "least recently used" without a list: when
 * the younger one is full the older one goes, and what is read again moves to the younger one.
 */
export class PairCache {
  #young = new Generation();
  #old = new Generation();

  /** The stored pair of a revision, if it was kept. Nobody may change it. */
  get({ main, sub }: Revision): Uint8Array | undefined {
    const key = keyOf(main, sub);
    if (key === undefined) return undefined;
    const young = this.#young.pairs.get(key);
    if (young !== undefined) return young;
    const old = this.#old.pairs.get(key);
    if (old !== undefined) this.#add(key, old);
    return old;
  }

  /** Keeps the stored pair of a revision for a while, in memory of its own. */
  set({ main, sub }: Revision, stored: Uint8Array): void {
    const key = keyOf(main, sub);
    if (key !== undefined && stored.length <= pairBytesMax) this.#add(key, stored);
  }

  /** Forgets everything. */
  clear(): void {
    this.#young = new Generation();
    this.#old = new Generation();
  }

  #add(key: number, stored: Uint8Array): void {
    if (this.#young.bytes >= generationBytes) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(key, stored);
  }
}

function keyOf(main: number, sub: number): number | undefined {
  return sub < subsMax && main < mainMax ? main * subsMax + sub : undefined;
}
