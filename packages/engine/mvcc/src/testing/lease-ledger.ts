import type { LeaseAttachments } from "../write-txn.ts";

/** A lessor that only keeps the books: a fixed set of leases, and which key hangs on which. */
export class LeaseLedger implements LeaseAttachments {
  /** The lease of each attached key. */
  readonly attached = new Map<string, bigint>();
  readonly #leases: ReadonlySet<bigint>;

  constructor(...leases: readonly bigint[]) {
    this.#leases = new Set(leases);
  }

  exists(lease: bigint): boolean {
    return this.#leases.has(lease);
  }

  attach(lease: bigint, key: string): void {
    if (!this.exists(lease) || this.attached.has(key)) throw new Error(`Cannot attach ${key} to lease ${lease}`);
    this.attached.set(key, lease);
  }

  detach(lease: bigint, key: string): void {
    if (this.attached.get(key) !== lease) throw new Error(`Cannot detach ${key} from lease ${lease}`);
    this.attached.delete(key);
  }
}
