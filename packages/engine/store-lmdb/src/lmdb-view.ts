import type { BackendEntry, BackendView, Bucket } from "@conclave/base";
import type { Transaction } from "lmdb";
import type { Environment } from "./environment.ts";
import { type ReadSource, readRange, readValue } from "./reader.ts";
import { StoreError } from "./store-error.ts";

/** A read transaction of LMDB that several views may share. It ends with the last of them. */
class SharedTransaction {
  readonly transaction: Transaction;
  #views = 0;

  constructor({ root }: Environment) {
    // The library renews the transaction that it hands out, which is meant for one that is not in use.
    root.resetReadTxn();
    this.transaction = root.useReadTransaction();
  }

  share(): void {
    this.#views++;
  }

  release(): void {
    this.#views--;
    if (this.#views === 0) this.transaction.done();
  }
}

/** The state of an environment as of its last transaction. */
export class LmdbView implements BackendView {
  readonly #environment: Environment;
  readonly #shared: SharedTransaction;
  #isOpen = true;
  /** Called once it is closed. */
  onClose: () => void = () => {};

  /** A view of what the environment holds now. */
  static open(environment: Environment): LmdbView {
    return new LmdbView(environment, new SharedTransaction(environment));
  }

  private constructor(environment: Environment, shared: SharedTransaction) {
    this.#environment = environment;
    this.#shared = shared;
    shared.share();
  }

  /** Another view of the same state, closed by itself. */
  clone(): LmdbView {
    return new LmdbView(this.#environment, this.#shared);
  }

  /** What the view reads from. */
  get source(): ReadSource {
    if (!this.#isOpen) throw new StoreError("CLOSED", "Cannot use the view as it has been closed");
    return { environment: this.#environment, transaction: this.#shared.transaction };
  }

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return readValue(this.source, bucket, key);
  }

  *scan(bucket: Bucket): Generator<BackendEntry> {
    for (const chunk of readRange(() => this.source, bucket, {})) yield* chunk;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#shared.release();
    this.onClose();
  }
}

/** The views that have been handed out and are open. */
export class OpenViews {
  readonly #views = new Set<LmdbView>();
  readonly #waiting: (() => void)[] = [];

  /** How many there are. */
  get size(): number {
    return this.#views.size;
  }

  /** Keeps account of a view that is open. */
  add(view: LmdbView): LmdbView {
    this.#views.add(view);
    view.onClose = () => this.#remove(view);
    return view;
  }

  /** Resolves once none is open. */
  async allClosed(): Promise<void> {
    if (this.#views.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Closes all of them. */
  close(): void {
    for (const view of this.#views) view.close();
  }

  #remove(view: LmdbView): void {
    this.#views.delete(view);
    if (this.#views.size > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
