/** @module Whether two clusters hold the same, each as of one revision. */
import { createHash, type Hash } from "node:crypto";
import { compareBytes } from "@conclave/base";
import type { KeyValue } from "@conclave/protocol/mvccpb";
import type { KeyPair } from "./join-keys.ts";
import { countOutOfOrder, type RevisionPair } from "./key-orders.ts";

/** In what a key differs. */
export type DifferenceKind = "missing" | "extra" | "value" | "lease";

/** A key that differs. Its value is nobody's business here. */
export interface Difference {
  /** The key. */
  readonly key: Uint8Array;
  /** In what it differs; `missing` and `extra` are said of the destination. */
  readonly kind: DifferenceKind;
}

/** All keys of one cluster in two numbers. */
export interface Side {
  /** How many keys it holds. */
  readonly keys: number;
  /** SHA-256 of all keys with their values and leases, in hexadecimal. */
  readonly hash: string;
}

/** What a comparison found. */
export interface Comparison {
  /** The cluster that was copied. */
  readonly source: Side;
  /** The copy. */
  readonly destination: Side;
  /** How many keys differ. */
  readonly differing: number;
  /** The first of them, {@link differencesMax} at most. */
  readonly differences: readonly Difference[];
  /** How many keys were not created, or not last changed, in the order of the source. */
  readonly outOfOrder: number;
}

/** Differences that are named. */
export const differencesMax = 20;

/** Compares two clusters, key by key. */
export async function compareKeys(pairs: AsyncIterable<KeyPair>): Promise<Comparison> {
  const [source, destination] = [new SideHash(), new SideHash()];
  const differences: Difference[] = [];
  const [created, changed]: [RevisionPair[], RevisionPair[]] = [[], []];
  let differing = 0;
  for await (const pair of pairs) {
    source.add(pair.source);
    destination.add(pair.destination);
    const difference = differenceOf(pair);
    if (difference !== undefined && ++differing <= differencesMax) differences.push(difference);
    if (pair.source === undefined || pair.destination === undefined) continue;
    created.push([pair.source.createRevision, pair.destination.createRevision]);
    changed.push([pair.source.modRevision, pair.destination.modRevision]);
  }
  const outOfOrder = Math.max(countOutOfOrder(created), countOutOfOrder(changed));
  return { source: source.digest(), destination: destination.digest(), differing, differences, outOfOrder };
}

function differenceOf({ source, destination }: KeyPair): Difference | undefined {
  if (source === undefined) return destination && { key: destination.key, kind: "extra" };
  const { key } = source;
  if (destination === undefined) return { key, kind: "missing" };
  if (compareBytes(source.value, destination.value) !== 0) return { key, kind: "value" };
  return source.lease === destination.lease ? undefined : { key, kind: "lease" };
}

class SideHash {
  readonly #hash: Hash = createHash("sha256");
  #keys = 0;

  add(pair: KeyValue | undefined): void {
    if (pair === undefined) return;
    this.#keys++;
    // Lengths go first, so that no two contents give the same bytes.
    const head = Buffer.alloc(16);
    head.writeUInt32LE(pair.key.length, 0);
    head.writeUInt32LE(pair.value.length, 4);
    head.writeBigInt64LE(pair.lease, 8);
    this.#hash.update(head).update(pair.key).update(pair.value);
  }

  digest(): Side {
    return { keys: this.#keys, hash: this.#hash.digest("hex") };
  }
}
