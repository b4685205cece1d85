import type { CallOptions } from "./calls/call-scope.ts";
import type { ConclaveError } from "./conclave-error.ts";
import type { Compare } from "./kv/compare.ts";
import type { MutationOptions } from "./kv/kv-options.ts";
import type { Op } from "./kv/op.ts";
import type { TxnResult } from "./kv/txn.ts";
import type { Ownership } from "./ownership.ts";

/** An ownership that is what another one is, but for what a subclass does otherwise: what recipes make theirs of. */
export class ForwardedOwnership implements Ownership {
  readonly #ownership: Ownership;

  /** @param ownership - what it is made of */
  constructor(ownership: Ownership) {
    this.#ownership = ownership;
  }

  get key(): string {
    return this.#ownership.key;
  }

  get fence(): number {
    return this.#ownership.fence;
  }

  get lease(): bigint {
    return this.#ownership.lease;
  }

  get ttlSec(): number {
    return this.#ownership.ttlSec;
  }

  get guard(): Compare {
    return this.#ownership.guard;
  }

  get held(): boolean {
    return this.#ownership.held;
  }

  get remainingMs(): number {
    return this.#ownership.remainingMs;
  }

  get signal(): AbortSignal {
    return this.#ownership.signal;
  }

  get ended(): Promise<ConclaveError> {
    return this.#ownership.ended;
  }

  assertHeld(): void {
    this.#ownership.assertHeld();
  }

  txn<const Ops extends readonly Op<unknown>[]>(
    ops: Ops,
    options?: MutationOptions,
  ): Promise<Extract<TxnResult<Ops, []>, { succeeded: true }>> {
    return this.#ownership.txn(ops, options);
  }

  release(options?: CallOptions): Promise<void> {
    return this.#ownership.release(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What the scope threw must not be hidden behind this, and the lease runs out by itself.
    await this.release().catch(() => {});
  }
}
