/** @module What an optimistic transaction has read, and the conditions under which it would read the same again. */
import { binaryString } from "@conclave/base";
import { type Compare, compare } from "../kv/compare.ts";
import type { KeyRange } from "../kv/key-range.ts";
import type { KeyValue } from "../kv/key-value.ts";

/** The keys and ranges read at one revision. */
export class ReadSet {
  /** Each key read by itself or found in a range, with the revision of its last change; 0 for none. */
  readonly #keys = new Map<string, { readonly key: Uint8Array; readonly modRevision: number }>();
  readonly #ranges: KeyRange[] = [];

  /** How many conditions it comes to. */
  get size(): number {
    return this.#keys.size + this.#ranges.length;
  }

  /** Takes note of a key. */
  addKey(key: Uint8Array, kv: KeyValue | undefined): void {
    this.#keys.set(binaryString(key), { key, modRevision: kv?.modRevision ?? 0 });
  }

  /** Takes note of a range with every pair in it. */
  addRange(range: KeyRange, kvs: readonly KeyValue[]): void {
    this.#ranges.push(range);
    for (const kv of kvs) this.addKey(kv.key, kv);
  }

  /**
   * The conditions. Each key must be as it was read, which notices deletions too; and no key of a range may have
   * changed since, which notices keys that are new there.
   *
   * @param revision - when all of it was read
   */
  compares(revision: number): readonly Compare[] {
    return [
      ...[...this.#keys.values()].map(({ key, modRevision }) => compare.modRevision(key).equal(modRevision)),
      ...this.#ranges.map((range) => compare.modRevision(range).less(revision + 1)),
    ];
  }
}
