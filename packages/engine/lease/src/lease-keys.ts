/** Which lease each key hangs on; keys are `binaryString`s. */
export class LeaseKeys {
  readonly #leaseOf = new Map<string, bigint>();
  readonly #keysOf = new Map<bigint, Set<string>>();

  /** The lease of a key, 0n if none. */
  leaseOf(key: string): bigint {
    return this.#leaseOf.get(key) ?? 0n;
  }

  /** The keys of a lease, ascending as bytes. */
  keysOf(lease: bigint): string[] {
    return [...(this.#keysOf.get(lease) ?? [])].sort();
  }

  /** Hangs a key on a lease, taking it off the one it hung on. */
  attach(lease: bigint, key: string): void {
    const previous = this.leaseOf(key);
    if (previous === lease) return;
    if (previous !== 0n) this.detach(previous, key);
    this.#leaseOf.set(key, lease);
    const keys = this.#keysOf.get(lease);
    if (keys === undefined) this.#keysOf.set(lease, new Set([key]));
    else keys.add(key);
  }

  /** Takes a key off a lease; nothing happens if it does not hang on that one. */
  detach(lease: bigint, key: string): void {
    const keys = this.#keysOf.get(lease);
    if (keys?.delete(key) !== true) return;
    this.#leaseOf.delete(key);
    if (keys.size === 0) this.#keysOf.delete(lease);
  }

  /** Takes all keys off a lease. */
  detachAll(lease: bigint): void {
    for (const key of this.#keysOf.get(lease) ?? []) this.#leaseOf.delete(key);
    this.#keysOf.delete(lease);
  }
}
